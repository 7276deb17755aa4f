import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { ignition, machineConfig, withFile } from '../../../support/lint.ts';
import { base64, type Case } from './case.ts';

const FILE = 'spec.config.storage.files[0]';
const hashOf = (text: string): string => `sha256-${createHash('sha256').update(text).digest('hex')}`;
const gz = (text: string): string => gzipSync(text).toString('base64');
const source = (url: string): string => withFile(`mode: 420\ncontents: { source: ${JSON.stringify(url)} }`);
const at = (path: string): string => withFile('contents: { source: "data:,a" }', path);
const badUrl = { rule: 'data-url-invalid', found: `error 11 ${FILE}.contents.source` } as const;
const named = (name: string, config: string): string => ignition(config).replace('99-worker-x', name);

export const FILE_CASES: readonly Case[] = [
  { ...badUrl, bad: source('data:;base64,YQ'), good: source('data:;base64,YQ==') },
  {
    ...badUrl,
    bad: source('data:;base64,YQ%3D%3D'),
    good: source('data:text/plain;charset=utf-8;base64,YQ=='),
  },
  { ...badUrl, bad: source('data:;base64,-_-_'), good: source('data:;base64,+/+/') },
  { ...badUrl, bad: source('data:,a b'), good: source('data:,a%20b') },
  { ...badUrl, bad: source('data:,100%'), good: source('data:,100%25') },
  { ...badUrl, bad: source('data:,é'), good: source('data:,%C3%A9') },
  { ...badUrl, bad: source('data:text/plain'), good: source('data:,') },
  {
    ...badUrl,
    bad: source('data:;base64;charset=utf-8,YQ=='),
    good: source('data:;charset=utf-8;base64,YQ=='),
  },
  { ...badUrl, bad: source('/etc/hosts'), good: source('data:,x=1/2') },
  {
    rule: 'source-remote',
    found: `error 11 ${FILE}.contents.source`,
    bad: source('https://example.com/x'),
    good: source('data:,x'),
  },
  {
    rule: 'compression-unknown',
    found: `error 10 ${FILE}.contents.compression`,
    bad: withFile('contents: { source: "data:,a", compression: xz }'),
    good: withFile('contents: { source: "data:,a", compression: "" }'),
  },
  {
    rule: 'gzip-invalid',
    found: `error 10 ${FILE}.contents.source`,
    bad: withFile(`contents: { source: "data:;base64,${base64('plain')}", compression: gzip }`),
    good: withFile(`contents: { source: "data:;base64,${gz('plain')}", compression: gzip }`),
  },
  {
    rule: 'contents-large',
    found: `warning 10 ${FILE}.contents.source`,
    bad: withFile(`contents: { source: "data:;base64,${gz('a'.repeat(9_000_000))}", compression: gzip }`),
    good: withFile(`contents: { source: "data:;base64,${gz('a'.repeat(8_000_000))}", compression: gzip }`),
  },
  {
    rule: 'verification-hash',
    found: `error 10 ${FILE}.contents.verification.hash`,
    bad: withFile(
      `contents: { source: "data:;base64,${gz('a')}", compression: gzip, verification: { hash: ${hashOf('b')} } }`,
    ),
    good: withFile(
      `contents: { source: "data:;base64,${gz('a')}", compression: gzip, verification: { hash: ${hashOf('a')} } }`,
    ),
  },
  {
    rule: 'verification-hash',
    found: `error 10 ${FILE}.contents.verification.hash`,
    bad: withFile('contents: { source: "data:,a", verification: { hash: sha256-12 } }'),
    good: withFile(
      `contents: { source: "data:,a", verification: { hash: sha512-${createHash('sha512').update('a').digest('hex')} } }`,
    ),
  },
  {
    rule: 'overwrite-nothing',
    found: `error 10 ${FILE}.overwrite`,
    bad: withFile('overwrite: true'),
    good: withFile('overwrite: false'),
  },
  {
    rule: 'file-append',
    found: `error 10 ${FILE}.append`,
    bad: withFile('append: [{ source: "data:,a" }]'),
    good: withFile('append: []'),
  },
  {
    rule: 'owner-twice',
    found: `error 10 ${FILE}.user`,
    bad: withFile('user: { id: 0, name: root }'),
    good: withFile('user: { name: root }'),
  },
  {
    rule: 'secret-in-config',
    found: `warning 10 ${FILE}.contents`,
    bad: withFile(`contents: { source: "data:;base64,${base64('{"auths":{"quay.io":{"auth":"YTpi"}}}')}" }`),
    good: withFile(`contents: { source: "data:;base64,${base64('{"auths":{}}')}" }`),
  },
  {
    rule: 'secret-in-config',
    found: `warning 10 ${FILE}.contents`,
    bad: withFile(`contents: { source: "data:;base64,${base64('-----BEGIN RSA PRIVATE KEY-----\nMII')}" }`),
    good: withFile(`contents: { source: "data:;base64,${base64('-----BEGIN CERTIFICATE-----\nMII')}" }`),
  },
  { rule: 'path-not-absolute', found: `error 9 ${FILE}.path`, bad: at('etc/x'), good: at('/etc/x') },
  { rule: 'path-not-clean', found: `error 9 ${FILE}.path`, bad: at('/etc//x'), good: at('/etc/x') },
  { rule: 'path-not-clean', found: `error 9 ${FILE}.path`, bad: at('/etc/../x'), good: at('/etc/..x') },
  { rule: 'path-not-clean', found: `error 9 ${FILE}.path`, bad: at('/etc/x/'), good: at('/etc/x') },
  {
    rule: 'path-forbidden',
    found: `error 9 ${FILE}.path`,
    bad: at('/run/machine-config-daemon-force'),
    good: at('/etc/machine-config-daemon-force'),
  },
  {
    rule: 'path-read-only',
    found: `error 9 ${FILE}.path`,
    bad: at('/usr/bin/x'),
    good: at('/usr/local/bin/x'),
  },
  { rule: 'path-read-only', found: `error 9 ${FILE}.path`, bad: at('/lib/firmware/x'), good: at('/libx/a') },
  { rule: 'path-volatile', found: `warning 9 ${FILE}.path`, bad: at('/run/x'), good: at('/var/run-x') },
  {
    rule: 'path-rewritten',
    found: `warning 9 ${FILE}.path`,
    bad: at('/etc/resolv.conf'),
    good: at('/etc/resolv.d'),
  },
  {
    rule: 'path-duplicate',
    found: 'error 9 spec.config.storage.files[1].path',
    bad: ignition('storage:\n  files: [{ path: /etc/a },\n    { path: /etc/a }]'),
    good: ignition('storage:\n  files: [{ path: /etc/a },\n    { path: /etc/b }]'),
  },
  {
    rule: 'path-duplicate',
    found: 'error 9 spec.config.storage.directories[0].path',
    bad: ignition('storage:\n  files: [{ path: /etc/a }]\n  directories: [{ path: /etc/a }]'),
    good: ignition('storage:\n  files: [{ path: /etc/a/b }]\n  directories: [{ path: /etc/a }]'),
  },
  {
    rule: 'path-through-link',
    found: 'error 8 spec.config.storage.files[0].path',
    bad: ignition('storage:\n  files: [{ path: /etc/a/b }]\n  links: [{ path: /etc/a, target: /b }]'),
    good: ignition('storage:\n  files: [{ path: /etc/ab/b }]\n  links: [{ path: /etc/a, target: /b }]'),
  },
  {
    rule: 'path-is-unit',
    found: 'error 8 spec.config.storage.files[0].path',
    bad: ignition(
      'storage:\n  files: [{ path: /etc/systemd/system/a.service.d/b.conf }]\nsystemd: { units: [{ name: a.service, dropins: [{ name: b.conf, contents: "[Unit]" }] }] }',
    ),
    good: ignition(
      'storage:\n  files: [{ path: /etc/systemd/system/a.service }]\nsystemd: { units: [{ name: a.service, mask: true }] }',
    ),
  },
  {
    rule: 'file-overridden',
    found: 'warning 8 spec.config.storage.files[0].path',
    bad: [
      named('50-a', 'storage:\n  files: [{ path: /etc/a, mode: 420 }]'),
      named('60-b', 'storage:\n  files: [{ path: /etc/a, mode: 384 }]'),
    ],
    good: [
      named('50-a', 'storage:\n  files: [{ path: /etc/a, mode: 420 }]'),
      named('60-b', 'storage:\n  files: [{ mode: 420, path: /etc/a }]'),
    ],
  },
  {
    rule: 'rendered-too-large',
    found: 'error 4 spec',
    bad: withFile(`contents: { source: "data:,${'a'.repeat(1_580_000)}" }`),
    good: withFile(`contents: { source: "data:,${'a'.repeat(1_200_000)}" }`),
  },
  {
    rule: 'rendered-too-large',
    found: 'warning 4 spec',
    bad: withFile(`contents: { source: "data:,${'a'.repeat(1_400_000)}" }`),
    good: withFile(`contents: { source: "data:,${'a'.repeat(1_200_000)}" }`),
  },
  {
    rule: 'apply-limit',
    found: 'warning 1 ',
    bad: withFile(`contents: { source: "data:,${'a'.repeat(263_000)}" }`),
    good: withFile(`contents: { source: "data:,${'a'.repeat(261_000)}" }`),
  },
  {
    rule: 'ignition-structure',
    found: 'error 5 spec.config',
    bad: machineConfig('config: []'),
    good: machineConfig('config: {}'),
  },
];
