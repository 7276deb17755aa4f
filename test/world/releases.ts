/** The kernels that set-up found in the machine's archive, by their part in the world. */
export interface WorldKernels {
  /** Newest of Debian's stable series. */
  readonly newest: string;
  /** The one before it. */
  readonly previous: string;
  /** Newest of the backported series: the kernel of the `rhel-10` stream. */
  readonly next: string;
}

export interface StreamPlan {
  readonly streamClass: 'rhel-9' | 'rhel-10';
  readonly machineOs: string;
  readonly rhelVersion: string;
  readonly kernel: keyof WorldKernels;
  /** Kernel of the driver-toolkit, where it is not the OS image's: such releases exist. */
  readonly driverToolkitKernel?: keyof WorldKernels;
  /** What the driver-toolkit says of its RT kernel: the truth, the sentence of a failed rpm query, or nothing. */
  readonly rt: 'kernel' | 'sentence' | 'none';
}

export interface ReleasePlan {
  readonly version: string;
  readonly previous: readonly string[];
  readonly created: string;
  readonly format: 'chunked' | 'node-layers';
  /** How OS image and driver-toolkit were pushed; release images are always Docker's. */
  readonly family: 'docker' | 'oci';
  readonly streams: readonly StreamPlan[];
  /** Made only on demand: the OS image is as large as a real one. */
  readonly isBench?: boolean;
}

/** The releases of the world, oldest first. */
export const RELEASES: readonly ReleasePlan[] = [
  {
    version: '4.16.10',
    previous: [],
    created: '2024-08-27T10:00:00Z',
    format: 'chunked',
    family: 'docker',
    streams: [
      {
        streamClass: 'rhel-9',
        machineOs: '416.94.202408200132-0',
        rhelVersion: '9.4',
        kernel: 'previous',
        rt: 'sentence',
      },
    ],
  },
  {
    version: '4.18.4',
    previous: ['4.16.10'],
    created: '2025-03-04T10:00:00Z',
    format: 'chunked',
    family: 'oci',
    streams: [
      {
        streamClass: 'rhel-9',
        machineOs: '418.94.202502250934-0',
        rhelVersion: '9.4',
        kernel: 'newest',
        rt: 'kernel',
      },
    ],
  },
  {
    version: '4.18.5',
    previous: ['4.16.10', '4.18.4'],
    created: '2025-03-18T10:00:00Z',
    format: 'chunked',
    family: 'docker',
    streams: [
      {
        streamClass: 'rhel-9',
        machineOs: '418.94.202503111003-0',
        rhelVersion: '9.4',
        kernel: 'newest',
        rt: 'kernel',
      },
    ],
  },
  {
    version: '4.18.6',
    previous: ['4.18.4', '4.18.5'],
    created: '2025-03-25T10:00:00Z',
    format: 'chunked',
    family: 'docker',
    streams: [
      {
        streamClass: 'rhel-9',
        machineOs: '418.94.202503180751-0',
        rhelVersion: '9.4',
        kernel: 'newest',
        driverToolkitKernel: 'previous',
        rt: 'none',
      },
    ],
  },
  {
    version: '4.19.1',
    previous: ['4.18.4', '4.18.5'],
    created: '2025-10-01T10:00:00Z',
    format: 'node-layers',
    family: 'oci',
    streams: [
      {
        streamClass: 'rhel-9',
        machineOs: '9.6.20250925-0',
        rhelVersion: '9.6',
        kernel: 'newest',
        rt: 'kernel',
      },
    ],
  },
  {
    version: '4.22.1',
    previous: ['4.19.1'],
    created: '2026-04-14T10:00:00Z',
    format: 'node-layers',
    family: 'docker',
    streams: [
      {
        streamClass: 'rhel-9',
        machineOs: '9.8.20260403-0',
        rhelVersion: '9.8',
        kernel: 'newest',
        rt: 'kernel',
      },
      {
        streamClass: 'rhel-10',
        machineOs: '10.2.20260328-0',
        rhelVersion: '10.2',
        kernel: 'next',
        rt: 'none',
      },
    ],
  },
  {
    version: '4.18.40',
    previous: ['4.18.5'],
    created: '2026-02-03T10:00:00Z',
    format: 'chunked',
    family: 'docker',
    streams: [
      {
        streamClass: 'rhel-9',
        machineOs: '418.94.202601270812-0',
        rhelVersion: '9.4',
        kernel: 'newest',
        rt: 'kernel',
      },
    ],
    isBench: true,
  },
];
