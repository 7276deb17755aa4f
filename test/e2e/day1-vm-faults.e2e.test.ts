import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeDay1MachineConfig } from '../../src/manifests/day1/produce.ts';
import {
  type Day1World,
  DUMMY_MODULES,
  IN_TREE,
  OUT_OF_TREE,
  pushDummyImage,
  pushNicImage,
  SHOW_MODULES,
  spoilLayer,
  startDay1World,
  textOf,
  timeOf,
  unitOf,
} from '../support/day1-vm.ts';
import { nodeFiles, type PlainFile } from '../support/node-files.ts';
import type { NodeReport } from '../support/node-vm.ts';

// What machines do when a registry, an image or a module is not as it should be.
let world: Day1World;
beforeAll(async () => {
  world = await startDay1World();
});
afterAll(async () => {
  await world.close();
});

describe('a registry that is down at first', () => {
  it('is tried again by a timer, and the module is loaded in the next boot', async () => {
    const [, kernel] = world.kernels;
    await pushDummyImage(world, kernel, { repository: 'acme/late' });
    const machineConfig = makeDay1MachineConfig({
      name: '99-worker-late',
      pool: 'worker',
      pullTimeoutSeconds: 30,
      drivers: [{ name: 'late', image: world.repository('acme/late'), modules: DUMMY_MODULES }],
    });
    // Minutes are too long for a test.
    const soon: PlainFile = {
      path: '/etc/systemd/system/99-worker-late-late-pull.timer.d/soon.conf',
      contents: '[Timer]\nOnActiveSec=\nOnUnitInactiveSec=\nOnActiveSec=5\nOnUnitInactiveSec=10\n',
    };
    await world.registry.kill();
    let isBack: Promise<void> | undefined;

    const reports = await world.factory.make().boot({
      kernelRelease: kernel.release,
      files: nodeFiles([machineConfig], { plain: [...world.pullFiles, soon] }),
      onConsole: (text) => {
        if (text.includes('waits for the registry')) isBack ??= world.registry.restart();
      },
      script: `state() { bash /usr/local/bin/99-worker-late-day1.sh status /etc/kmodlayer/99-worker-late-late.conf; }
        state
        ${SHOW_MODULES}
        [ ! -e /var/lib/again ] || exit 0
        touch /var/lib/again
        echo waits for the registry >/dev/ttyS0
        for _ in $(seq 90); do state | grep -q pull-failed || break; sleep 2; done
        state
        systemctl is-active 99-worker-late-late-pull.timer
        exit 10`,
    });
    await isBack;
    const [first, second] = reports as [NodeReport, NodeReport];

    expect(first.script).toMatch(/^state=pull-failed\n/);
    expect(unitOf(first, 'multi-user.target', 'ActiveState')).toBe('active');
    expect(unitOf(first, 'kubelet.service', 'ActiveState')).toBe('active');
    expect(first.script).toMatch(IN_TREE);
    expect(first.script).toContain('state=pending-reboot\n');
    expect(first.script).toMatch(/^inactive$/m);
    expect(second.script).toMatch(/^state=loaded\n/);
    expect(second.script).toMatch(OUT_OF_TREE);
  });
});

describe('a module that cannot load, and an image that is corrupt', () => {
  it('leaves the in-tree module, says so, and does not keep the node from coming up', async () => {
    const [, kernel] = world.kernels;
    await pushDummyImage(world, kernel, { repository: 'acme/failing' });
    const corrupt = await pushNicImage(world, kernel);
    spoilLayer(world.registry, corrupt);
    const machineConfig = makeDay1MachineConfig({
      name: '99-worker-bad',
      pool: 'worker',
      pullTimeoutSeconds: 40,
      drivers: [
        {
          name: 'failing',
          image: world.repository('acme/failing'),
          modules: [{ name: 'dummy', replaces: ['dummy'], parameters: { fail: '19' } }],
        },
        {
          name: 'corrupt',
          image: `${world.repository('acme/e1000e')}@${corrupt}`,
          modules: [{ name: 'nlmon', replaces: ['nlmon'] }],
        },
      ],
    });

    const reports = await world.factory.make().boot({
      kernelRelease: kernel.release,
      files: nodeFiles([machineConfig], { plain: world.pullFiles }),
      script: `${SHOW_MODULES}
        for driver in failing corrupt; do
          bash /usr/local/bin/99-worker-bad-day1.sh status /etc/kmodlayer/99-worker-bad-$driver.conf
        done
        [ ! -e /var/lib/again ] || exit 0
        touch /var/lib/again
        exit 10`,
    });

    expect(reports).toHaveLength(2);
    for (const report of reports) {
      expect(report.script).toMatch(IN_TREE);
      expect(report.script).toContain('state=failed\n');
      expect(report.script).toMatch(/state=(?:pull-failed|bad-image)\n/);
      expect(unitOf(report, '99-worker-bad-failing-pull.service', 'ActiveState')).toBe('failed');
      expect(unitOf(report, '99-worker-bad-corrupt-pull.service', 'ActiveState')).toBe('failed');
      expect(unitOf(report, 'multi-user.target', 'ActiveState')).toBe('active');
      expect(unitOf(report, 'kubelet.service', 'ActiveState')).toBe('active');
      expect(textOf(report.journal)).not.toContain('rebooting');
    }
    const [first, second] = reports as [NodeReport, NodeReport];
    expect(unitOf(first, '99-worker-bad-failing-load.service', 'ActiveState')).toBe('active');
    expect(unitOf(second, '99-worker-bad-failing-load.service', 'ActiveState')).toBe('failed');
    expect(unitOf(second, '99-worker-bad-corrupt-load.service', 'ActiveState')).toBe('active');
    expect(timeOf(second.journal, 'those of the OS image are back')).toBeLessThan(
      timeOf(second.journal, 'Starting NetworkManager.service'),
    );
  });
});
