import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Day1Options } from '../../src/manifests/day1/options.ts';
import { makeDay1MachineConfig } from '../../src/manifests/day1/produce.ts';
import { makeVerifyScript } from '../../src/manifests/day1/verify-script.ts';
import {
  type Day1World,
  DUMMY_MODULES,
  IN_TREE,
  OUT_OF_TREE,
  pushDummyImage,
  pushNicImage,
  SHOW_MODULES,
  startDay1World,
  textOf,
  timeOf,
  unitOf,
} from '../support/day1-vm.ts';
import { nodeFiles, type PlainFile } from '../support/node-files.ts';
import { FIRMWARE, NIC_VERSION, pushWorkerImage } from '../support/node-images.ts';
import type { NodeReport, NodeVm } from '../support/node-vm.ts';

// Machines of Debian's packages, without KVM: what systemd, lsmod and the journal of booted kernels say.
let world: Day1World;
beforeAll(async () => {
  world = await startDay1World();
});
afterAll(async () => {
  await world.close();
});

describe('two drivers at once, one of them that of the network card', () => {
  let options: Day1Options;
  let machine: NodeVm;
  let second: NodeReport;
  let third: NodeReport;
  let last: NodeReport;
  const loadOf = (driver: string): string => `99-worker-oot-${driver}-load.service`;

  beforeAll(async () => {
    const [older, newer] = world.kernels;
    const nic = async (kernel: typeof older): Promise<string> =>
      `${world.repository('acme/e1000e')}@${await pushNicImage(world, kernel)}`;
    await pushDummyImage(world, older);
    options = {
      name: '99-worker-oot',
      pool: 'worker',
      activation: 'reboot',
      drivers: [
        {
          name: 'nic',
          image: { [older.release]: await nic(older), [newer.release]: await nic(newer) },
          modules: [{ name: 'e1000e', replaces: ['e1000e'] }],
        },
        {
          name: 'dummy',
          image: world.repository('acme/dummy'),
          firmware: '/firmware',
          modules: DUMMY_MODULES,
        },
      ],
    };
    const verify: PlainFile = { path: '/etc/node-vm/verify.sh', contents: makeVerifyScript(options) };
    const machineConfig = makeDay1MachineConfig(options);
    const files = nodeFiles([machineConfig], { plain: [...world.pullFiles, verify] });
    machine = world.factory.make();
    [second] = (await machine.boot({ kernelRelease: older.release, files, script: SHOW_MODULES })) as [
      NodeReport,
    ];
    await pushDummyImage(world, newer);
    [third] = (await machine.boot({
      kernelRelease: newer.release,
      files,
      script: `${SHOW_MODULES}
        ls /var/lib/kmodlayer/99-worker-oot-dummy
        bash -s </etc/node-vm/verify.sh; echo "verify ended with $?"
        bash /usr/local/bin/99-worker-oot-day1.sh status /etc/kmodlayer/99-worker-oot-dummy.conf
        rmmod dummy_extra; bash -s </etc/node-vm/verify.sh >/tmp/verify; echo "then with $?"; grep FAIL /tmp/verify
        systemctl stop 99-worker-oot-dummy-load.service; echo "stopped: $?"
        ${SHOW_MODULES}`,
    })) as [NodeReport];
    const removal = makeDay1MachineConfig({ ...options, remove: true });
    [last] = (await machine.boot({
      kernelRelease: newer.release,
      files: nodeFiles([removal], { before: [machineConfig], plain: world.pullFiles }),
      script: `${SHOW_MODULES}
        ls -d /var/lib/kmodlayer /var/lib/firmware /run/modprobe.d/kmodlayer* /run/kmodlayer/99*
        podman images --quiet
        systemctl list-unit-files '99-*' --no-legend`,
    })) as [NodeReport];
  });

  it('boots with the in-tree modules first, pulls both images, and reboots before the kubelet starts', () => {
    const first = textOf(second.journalBefore);

    expect(first).toContain('nic: waiting');
    expect(first).toContain('dummy: waiting');
    expect(first).toContain("Inserted module 'dummy'");
    expect(first).toMatch(/(?:nic|dummy): rebooting/);
    expect(first).not.toContain('Started kubelet.service');
    expect(first).not.toContain('out of tree');
  });

  it('does not unload anything when the machine goes down', () => {
    expect(textOf(second.journalBefore)).not.toContain('unloaded');
    expect(textOf(third.journalBefore)).not.toContain('unloaded');
  });

  it('has both modules replaced in the second boot before NetworkManager starts', () => {
    const { journal, script, modules } = second;
    const network = timeOf(journal, 'Starting NetworkManager.service');

    expect(script).toContain(`e1000e version=${NIC_VERSION} taint=OE`);
    expect(script).toMatch(OUT_OF_TREE);
    expect(modules).toEqual(expect.arrayContaining(['dummy', 'dummy_extra', 'e1000e', 'crc_itu_t']));
    expect(timeOf(journal, `Finished ${loadOf('nic')}`)).toBeLessThan(network);
    expect(timeOf(journal, `Finished ${loadOf('dummy')}`)).toBeLessThan(network);
    expect(timeOf(journal, 'e1000e: loading out-of-tree module')).toBeLessThan(network);
    expect(timeOf(journal, 'kernel: dummy: out of tree')).toBeLessThan(network);
    expect(unitOf(second, 'network-online.target', 'ActiveState')).toBe('active');
  });

  it('hands parameters and firmware over', () => {
    const journal = textOf(second.journal);

    expect(journal).toContain('dummy: out of tree, greeting good day, level 16');
    expect(second.script).toContain('greeting=good day\n');
    expect(journal).toContain(`dummy: firmware of ${FIRMWARE.length} bytes`);
    expect(second.commandLine).toContain('firmware_class.path=/var/lib/firmware');
  });

  it('pulls nothing again, and starts the kubelet', () => {
    expect(textOf(second.journal)).toContain('dummy: the modules of');
    expect(textOf(second.journal)).not.toContain('image pull');
    expect(unitOf(second, 'kubelet.service', 'ActiveState')).toBe('active');
    expect(unitOf(second, 'multi-user.target', 'ActiveState')).toBe('active');
  });

  it('takes the modules of the kernel that was booted, once there is a tag for it', () => {
    const [older, newer] = world.kernels;

    expect(textOf(third.journalBefore)).toContain(`waiting: the modules for kernel ${newer.release}`);
    expect(third.script).toMatch(OUT_OF_TREE);
    expect(third.script).toContain(`${older.release}\n${newer.release}\nfirmware\n`);
    expect(unitOf(third, loadOf('nic'), 'Result')).toBe('success');
  });

  it('is verified by the script for admins, which sees what is missing', () => {
    expect(third.script).toContain('verify ended with 0');
    expect(third.script).toContain('state=loaded\n');
    expect(third.script).toContain('then with 1\nFAIL  dummy_extra is loaded\n');
  });

  it('loads the in-tree module again when the unit is stopped', () => {
    const after = third.script.slice(third.script.indexOf('stopped: 0'));

    expect(third.script).toContain('stopped: 0');
    expect(after).toMatch(IN_TREE);
  });

  it('leaves nothing behind when it is removed', () => {
    const lines = last.script.split('\n').filter((line) => line.startsWith('/') || line.startsWith('99-'));

    expect(lines.map((line) => line.split(/\s/)[0])).toEqual([
      '99-worker-oot-dummy-uninstall.service',
      '99-worker-oot-nic-uninstall.service',
    ]);
    expect(last.script).toMatch(IN_TREE);
    expect(last.script).toContain('e1000e version= taint=\n');
    expect(textOf(last.journal)).toContain('Finished 99-worker-oot-dummy-uninstall.service');
    expect(textOf(last.journal)).toContain('Finished 99-worker-oot-nic-uninstall.service');
  });
});

describe('a driver whose in-tree module nothing uses', () => {
  it('is loaded without a reboot before the kubelet; uninstalled by hand; and loaded for a kernel with a "+"', async () => {
    const [, kernel] = world.kernels;
    const realTime = `${kernel.release}+rt`;
    for (const kernelRelease of [kernel.release, realTime]) {
      await pushDummyImage(world, kernel, { repository: 'acme/live', kernelRelease });
    }
    const machineConfig = makeDay1MachineConfig({
      name: '99-worker-live',
      pool: 'worker',
      drivers: [
        { name: 'd', image: world.repository('acme/live'), firmware: '/firmware', modules: DUMMY_MODULES },
      ],
    });
    // No kernel with such a name can be booted here: what the script asks for it is told another.
    const uname: PlainFile = {
      path: '/usr/local/lib/rt/uname',
      mode: 0o755,
      contents: `#!/bin/sh\n[ "$*" = -r ] && exec echo '${realTime}'\nexec /usr/bin/uname "$@"\n`,
    };
    const script = 'bash /usr/local/bin/99-worker-live-day1.sh';
    const config = '/etc/kmodlayer/99-worker-live-d.conf';

    const reports = await world.factory.make().boot({
      kernelRelease: kernel.release,
      files: nodeFiles([machineConfig], { plain: [...world.pullFiles, uname] }),
      script: `${SHOW_MODULES}
        ${script} uninstall ${config}
        echo "removed: $(ls -d /var/lib/kmodlayer /var/lib/firmware /run/modprobe.d/kmodlayer* /run/kmodlayer/99*)"
        ${SHOW_MODULES}
        export PATH=/usr/local/lib/rt:$PATH
        echo real time
        ${script} pull ${config}
        ${script} load ${config}
        ${script} verify ${config}; echo "verified: $?"`,
    });
    const [first] = reports as [NodeReport];
    const [live = '', rest = ''] = first.script.split('removed: ');
    const [gone = '', plus = ''] = rest.split('real time\n');

    expect(reports).toHaveLength(1);
    expect(first.journalBefore).toEqual([]);
    expect(live).toMatch(OUT_OF_TREE);
    expect(timeOf(first.journal, 'd: loaded')).toBeLessThan(timeOf(first.journal, 'Started kubelet.service'));
    expect(gone).not.toContain('/var/lib/kmodlayer\n');
    expect(gone).toMatch(IN_TREE);
    expect(plus).toContain(
      `d: pending-reboot: the modules of ${world.repository('acme/live')}:${kernel.release}_rt`,
    );
    expect(plus).toContain(`d: loaded: the modules of ${world.repository('acme/live')}:${kernel.release}_rt`);
    expect(plus).toContain('verified: 0');
  });
});

describe('a MachineConfig with the structure of KMM’s', () => {
  it('pulls in the first boot, and in the second one replaces the module before NetworkManager starts', async () => {
    const [, kernel] = world.kernels;
    await pushDummyImage(world, kernel, { repository: 'acme/kmm' });
    await pushWorkerImage(world.registry, 'kmm/worker:v1');
    const machineConfig = makeDay1MachineConfig({
      name: '99-worker-kmm',
      pool: 'worker',
      loader: 'kmm',
      workerImage: `${world.repository('kmm/worker')}:v1`,
      drivers: [
        {
          name: 'dummy',
          image: world.repository('acme/kmm'),
          firmware: '/firmware',
          modules: [{ name: 'dummy', replaces: ['dummy'] }],
        },
      ],
    });

    const reports = await world.factory.make().boot({
      kernelRelease: kernel.release,
      files: nodeFiles([machineConfig], { plain: world.pullFiles }),
      script: `${SHOW_MODULES}
        podman ps --all --quiet | wc -l`,
    });
    const [report] = reports as [NodeReport];
    const { journal, journalBefore, script } = report;
    const replaced = 'Finished 99-worker-kmm-replace-kernel-module.service';

    expect(textOf(journalBefore)).toContain("Inserted module 'dummy'");
    expect(textOf(journalBefore)).toContain('going on with the in-tree modules');
    expect(textOf(journalBefore)).toContain('New images are here; rebooting');
    expect(script).toMatch(/^dummy version=2\.0 taint=O/m);
    expect(textOf(journal)).toContain(`dummy: firmware of ${FIRMWARE.length} bytes`);
    expect(timeOf(journal, replaced)).toBeLessThan(timeOf(journal, 'Starting NetworkManager.service'));
    expect(script).toMatch(/^0$/m);
    expect(unitOf(report, 'kubelet.service', 'ActiveState')).toBe('active');
  });
});
