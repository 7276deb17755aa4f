/** Units of MachineConfigs, and whether systemd finds a circle among them and what a node has. */
export interface OrderTrial {
  readonly what: string;
  /** Of each MachineConfig the units by name; all are enabled. */
  readonly configs: readonly Readonly<Record<string, string>>[];
  readonly isCircle: boolean;
}

const oneshot = (unit: string, wantedBy = 'multi-user.target'): string =>
  `[Unit]\n${unit}\n[Service]\nType=oneshot\nExecStart=/usr/bin/true\n[Install]\nWantedBy=${wantedBy}\n`;

export const ORDER_TRIALS: readonly OrderTrial[] = [
  {
    what: 'a unit that pulls and loads before the network',
    configs: [
      {
        'x.service': oneshot(
          'Wants=network-online.target network-pre.target\nAfter=network-online.target\nBefore=network-pre.target',
        ),
      },
    ],
    isCircle: true,
  },
  {
    what: 'a unit before NetworkManager that waits for it to be done',
    configs: [
      { 'x.service': oneshot('After=NetworkManager-wait-online.service\nBefore=NetworkManager.service') },
    ],
    isCircle: true,
  },
  {
    what: 'a unit before the network that waits for the kubelet',
    configs: [
      { 'x.service': oneshot('After=kubelet.service\nBefore=network-pre.target\nWants=network-pre.target') },
    ],
    isCircle: true,
  },
  {
    what: 'two units of two MachineConfigs, one of which waits for the network',
    configs: [
      { 'load.service': oneshot('After=pull.service\nBefore=network-pre.target\nWants=network-pre.target') },
      { 'pull.service': oneshot('Wants=network-online.target\nAfter=network-online.target') },
    ],
    isCircle: true,
  },
  {
    what: 'two units that wait for each other',
    configs: [{ 'a.service': oneshot('After=b.service'), 'b.service': oneshot('After=a.service') }],
    isCircle: true,
  },
  {
    what: 'a unit that comes before the basics, and has them as every service',
    configs: [{ 'x.service': oneshot('Before=sysinit.target', 'sysinit.target') }],
    isCircle: true,
  },
  {
    what: 'a unit between what a target starts and that target',
    configs: [{ 'a.service': oneshot('After=b.service'), 'b.service': oneshot('After=multi-user.target') }],
    isCircle: true,
  },
  {
    what: 'a unit that pulls, and one that loads at the next boot',
    configs: [
      {
        'load.service': oneshot(
          'DefaultDependencies=no\nBefore=network-pre.target\nWants=network-pre.target',
        ),
        'pull.service': oneshot(
          'Wants=network-online.target\nAfter=network-online.target load.service\nBefore=kubelet.service',
        ),
      },
    ],
    isCircle: false,
  },
  {
    what: 'a unit that comes before the basics, without them',
    configs: [{ 'x.service': oneshot('DefaultDependencies=no\nBefore=sysinit.target', 'sysinit.target') }],
    isCircle: false,
  },
  {
    what: 'a unit after the target that starts it',
    configs: [{ 'x.service': oneshot('After=multi-user.target') }],
    isCircle: false,
  },
];
