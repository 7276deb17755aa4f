import { ignition } from '../../../support/lint.ts';
import { base64, type Case, scripted, service, unit } from './case.ts';

const UNIT = 'spec.config.systemd.units[0]';
const CONTENTS = `${UNIT}.contents`;
const FILE = 'spec.config.storage.files[0]';
const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`;
const units = (list: string): string => ignition(`systemd:\n  units: ${list}`);
const INSTALL = '[Install]\nWantedBy=a.target\n[Service]\nExecStart=/bin/true';
const named = (name: string, text: string): string => text.replace('99-worker-x', name);
const KMM = 'kmm_config_file_filepath=/var/lib/kmm_day1_config.yaml\n';
const kmm = (name: string, script = KMM): string =>
  named(
    name,
    ignition(
      `storage:\n  files: [{ path: /usr/local/bin/${name}.sh, mode: 493, contents: { source: "data:;base64,${base64(script)}" } }]`,
    ),
  );

export const UNIT_CASES: readonly Case[] = [
  {
    rule: 'unit-name',
    found: `error 8 ${UNIT}.name`,
    bad: units('[{ name: ice }]'),
    good: units('[{ name: ice.service }]'),
  },
  {
    rule: 'unit-name',
    found: `error 8 ${UNIT}.name`,
    bad: units('[{ enabled: false }]'),
    good: units('[{ name: a@b.timer }]'),
  },
  {
    rule: 'unit-duplicate',
    found: 'error 9 spec.config.systemd.units[1].name',
    bad: units('[{ name: a.service },\n    { name: a.service }]'),
    good: units('[{ name: a.service },\n    { name: a.socket }]'),
  },
  {
    rule: 'unit-overridden',
    found: `warning 9 ${UNIT}.name`,
    bad: [named('50-a', unit(INSTALL)), named('60-b', unit(`${INSTALL} 1`))],
    good: [named('50-a', unit(INSTALL)), named('60-b', unit(INSTALL))],
  },
  {
    rule: 'unit-content',
    found: `error 15 ${CONTENTS}`,
    bad: unit('[Install]\nWantedBy=a.target\nThis is no assignment'),
    good: unit('[Install]\nWantedBy=a.target\n# This is a comment'),
  },
  {
    rule: 'unit-content',
    found: `error 13 ${CONTENTS}`,
    bad: unit('[Install'),
    good: unit('[Install]'),
  },
  {
    rule: 'unit-content',
    found: `warning 13 ${CONTENTS}`,
    bad: unit(`Description=a\n${INSTALL}`),
    good: unit(`[Unit]\nDescription=a\n${INSTALL}`),
  },
  {
    rule: 'unit-content',
    found: `error 8 ${CONTENTS}`,
    bad: units("[{ name: a.service, contents: '[Unit]\\nDescription=a' }]"),
    good: units('[{ name: a.service, contents: "[Unit]\\nDescription=a" }]'),
  },
  {
    rule: 'unit-newline',
    found: `warning 16 ${CONTENTS}`,
    bad: unit(`${INSTALL} \\ \n  --all`),
    good: unit(`${INSTALL} \\\n  --all`),
  },
  {
    rule: 'unit-percent',
    found: `error 18 ${CONTENTS}`,
    bad: service('ExecStart=/bin/echo 100% x'),
    good: service('ExecStart=/bin/echo 100%% x %n'),
  },
  {
    rule: 'unit-percent',
    found: `warning 18 ${CONTENTS}`,
    bad: service("ExecStart=/bin/sh -c 'printf %%s a; date +%%H %H'").replaceAll('%%', '%'),
    good: service("ExecStart=/bin/sh -c 'date +%%H'"),
  },
  {
    rule: 'unit-without-install',
    found: `warning 10 ${UNIT}.enabled`,
    bad: unit('[Service]\nExecStart=/bin/true'),
    good: unit(INSTALL),
  },
  {
    rule: 'template-missing',
    found: `warning 8 ${UNIT}.name`,
    bad: units('[{ name: a@b.service, enabled: true }]'),
    good: units(
      `[{ name: a@b.service, enabled: true }, { name: a@.service, contents: ${JSON.stringify(INSTALL)} }]`,
    ),
  },
  {
    rule: 'dropin-name',
    found: `error 8 ${UNIT}.dropins[0].name`,
    bad: units('[{ name: a.service, dropins: [{ name: 10-a, contents: "[Unit]" }] }]'),
    good: units('[{ name: a.service, dropins: [{ name: 10-a.conf, contents: "[Unit]" }] }]'),
  },
  {
    rule: 'unit-masked',
    found: `warning 8 ${UNIT}.mask`,
    bad: units('[{ name: a.service, enabled: true, mask: true }]'),
    good: units('[{ name: a.service, enabled: false, mask: true }]'),
  },
  {
    rule: 'crio-wipe-masked',
    found: `warning 8 ${UNIT}.mask`,
    bad: units('[{ name: crio-wipe.service, mask: true }]'),
    good: units('[{ name: chronyd.service, mask: true }]'),
  },
  {
    rule: 'unit-order-cycle',
    found: `error 22 ${CONTENTS}`,
    bad: service(
      'ExecStart=/bin/true',
      'Wants=network-online.target\nAfter=network-online.target\nBefore=network-pre.target',
    ),
    good: service(
      'ExecStart=/bin/true',
      'Wants=network-online.target\nAfter=network-online.target\nBefore=kubelet.service',
    ),
  },
  {
    rule: 'network-online-unwanted',
    found: `warning 22 ${CONTENTS}`,
    bad: service('User=root\nExecStart=/bin/true', 'After=network-online.target'),
    good: service('ExecStart=/bin/true', 'After=network-online.target\nWants=network-online.target'),
  },
  {
    rule: 'proxy-file-required',
    found: `warning 18 ${CONTENTS}`,
    bad: service('EnvironmentFile=/etc/mco/proxy.env'),
    good: service('EnvironmentFile=-/etc/mco/proxy.env'),
  },
  {
    rule: 'first-boot-condition',
    found: `warning 12 ${CONTENTS}`,
    bad: unit(`${INSTALL}\nExecStartPre=/usr/sbin/modprobe ice`),
    good: service('ExecStart=/usr/sbin/modprobe ice'),
  },
  {
    rule: 'pull-without-retry',
    found: `warning 12 ${CONTENTS}`,
    bad: service(`ExecStart=/usr/bin/podman pull quay.io/a/b@${DIGEST}`),
    good: service(`ExecStart=/usr/bin/podman pull quay.io/a/b@${DIGEST}\nRestart=on-failure`),
  },
  {
    rule: 'loop-unbounded',
    found: `warning 12 ${CONTENTS}`,
    bad: unit(
      `${INSTALL}\nType=oneshot\nExecStartPre=/bin/bash -c 'while ! /usr/local/bin/load; do sleep 10; done'`,
    ),
    good: service("ExecStartPre=/bin/bash -c 'while ! /usr/local/bin/load; do sleep 10; done'"),
  },
  {
    rule: 'loop-unbounded',
    found: `error 12 ${CONTENTS}`,
    bad: unit(
      `${INSTALL}\nType=oneshot\nTimeoutSec=infinity\nExecStartPre=/bin/bash -c 'until load; do sleep 10; done'\n[Unit]\nBefore=kubelet.service`,
    ),
    good: unit(
      `${INSTALL}\nType=oneshot\nTimeoutSec=90\nExecStartPre=/bin/bash -c 'until load; do sleep 10; done'\n[Unit]\nBefore=kubelet.service`,
    ),
  },
  {
    rule: 'reboot-loop',
    found: `error 17 ${CONTENTS}`,
    bad: unit(`${INSTALL}\nExecStartPost=/usr/bin/systemctl reboot`),
    good: unit(`${INSTALL}\nExecStartPost=/usr/bin/systemctl reboot\n[Unit]\nConditionPathExists=!/etc/done`),
  },
  {
    rule: 'reboot-undrained',
    found: `warning 26 ${FILE}`,
    bad: scripted('#!/bin/bash\npodman image exists a || reboot\n'),
    good: scripted('#!/bin/bash\npodman image exists a || reboot\n', 493, 'Before=kubelet.service'),
  },
  {
    rule: 'image-latest',
    found: `warning 18 ${CONTENTS}`,
    bad: service('Environment="WORKER_IMAGE=quay.io/a/b:latest"\nExecStart=/bin/podman run a'),
    good: service(`Environment="WORKER_IMAGE=quay.io/a/b@${DIGEST}"\nExecStart=/bin/podman run a`),
  },
  {
    rule: 'image-by-tag',
    found: `warning 18 ${CONTENTS}`,
    bad: service('ExecStart=/bin/podman run registry.local:5000/a/b:v1'),
    good: service(`ExecStart=/bin/podman run registry.local:5000/a/b@${DIGEST}`),
  },
  {
    rule: 'image-by-tag',
    found: `warning 26 ${FILE}`,
    bad: scripted('#!/bin/bash\nIMAGE=quay.io/a/b:v1\npodman pull "$IMAGE"\n'),
    good: scripted('#!/bin/bash\n# quay.io/a/b:v1, see https://quay.io/a/b:v1\npodman pull "$IMAGE"\n'),
  },
  {
    rule: 'uname-tag',
    found: `warning 12 ${CONTENTS}`,
    bad: scripted('#!/bin/bash\npodman pull "$IMAGE:$(uname -r)"\n'),
    good: scripted('#!/bin/bash\npodman pull "$IMAGE:$(uname -r | tr + _)"\n'),
  },
  {
    rule: 'uname-tag',
    found: `warning 12 ${CONTENTS}`,
    bad: scripted('#!/bin/bash\nkernel=$(uname -r)\npodman pull "$IMAGE:$kernel"\n'),
    good: scripted('#!/bin/bash\nkernel=$(uname -r)\npodman pull "$IMAGE:${kernel//+/_}"\n'),
  },
  {
    rule: 'script-world-writable',
    found: `error 27 ${FILE}.mode`,
    bad: scripted('#!/bin/bash\n', 511),
    good: scripted('#!/bin/bash\n', 493),
  },
  {
    rule: 'script-not-executable',
    found: `error 27 ${FILE}.mode`,
    bad: scripted('#!/bin/bash\n', 420),
    good: scripted('#!/bin/bash\n', 448),
  },
  {
    rule: 'script-without-shebang',
    found: `error 26 ${FILE}`,
    bad: scripted('modprobe ice\n'),
    good: scripted('#!/bin/sh\nmodprobe ice\n'),
  },
  {
    rule: 'script-crlf',
    found: `error 26 ${FILE}`,
    bad: scripted('#!/bin/bash\r\nmodprobe ice\r\n'),
    good: scripted('#!/bin/bash\nmodprobe ice\r\n'),
  },
  {
    rule: 'kmm-day1-scripts',
    found: `warning 8 ${FILE}`,
    bad: kmm('50-a'),
    good: kmm('50-a', '#!/bin/bash\n'),
  },
  {
    rule: 'kmm-day1-twice',
    found: 'error b.yaml:1 ',
    bad: [kmm('50-a'), kmm('60-b')],
    good: [kmm('50-a'), kmm('60-b', '#!/bin/bash\n')],
  },
  {
    rule: 'kmm-day1-image',
    found: `error 18 ${CONTENTS}`,
    bad: `${service('Environment="KERNEL_MODULE_IMAGE=quay.io/a/b:v1"')}\n    storage: { files: [{ path: /usr/local/bin/a.sh, contents: { source: "data:;base64,${base64(KMM)}" } }] }`,
    good: `${service('Environment="KERNEL_MODULE_IMAGE=localhost:5000/a/b"')}\n    storage: { files: [{ path: /usr/local/bin/a.sh, contents: { source: "data:;base64,${base64(KMM)}" } }] }`,
  },
];
