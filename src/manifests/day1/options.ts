import type { RegistryReference } from '../../oci/reference.ts';
import type { KernelRelease } from '../../spec/kernel-release.ts';
import type { ModuleName } from '../../spec/module-name.ts';
import type { ObjectName } from '../../spec/object-name.ts';
import type { AbsolutePath, NodePath } from '../ignition-file.ts';
import type { NodeParts } from '../machine-config.ts';

/** What loads the modules on a node; `LOADERS` has one function for each. */
export const LOADER_NAMES = ['host', 'kmm', 'kvc', 'sro'] as const;

/** - `host`: the host's own podman and modprobe, without a worker image; any number of drivers.
 *  - `kmm`: as Kernel Module Management does it, with its worker image; one module.
 *  - `kvc`: as kmods-via-containers does it: an instance of `kmods-via-containers@.service` for each driver.
 *  - `sro`: as recipes of the Special Resource Operator did it: a service and a script for each driver. */
export type LoaderName = (typeof LOADER_NAMES)[number];

/** When the modules of an image that was just pulled are loaded.
 *
 *  - `live`: at once where that is possible, else after a reboot before the kubelet starts.
 *  - `reboot`: always after a reboot.
 *  - `next-boot`: when the node is rebooted anyhow. */
export const ACTIVATIONS = ['live', 'reboot', 'next-boot'] as const;
export type Activation = (typeof ACTIVATIONS)[number];

/** Options that every MachineConfig of Day 1 has. */
export interface Day1CommonOptions {
  /** Name of the MachineConfig, for instance `99-worker-ice`. */
  readonly name: string;
  /** MachineConfigPool whose nodes get it, for instance `worker`. */
  readonly pool: string;
  /** `host` when absent. */
  readonly loader?: LoaderName;
  /** Undo what a MachineConfig of this name did to its nodes; for `host` only. Delete it when they rebooted. */
  readonly remove?: boolean;
  readonly activation?: Activation;
  /** Units take the cluster's proxy from `/etc/mco/proxy.env`, where a node has one; true when absent. */
  readonly proxy?: boolean;
  /** How long a node may try to pull the images before its unit fails, at most 86400; 900 when absent, and 300 for `host`,
   *  which has the kubelet wait for it. */
  readonly pullTimeoutSeconds?: number;
  /** How long loading may take before its unit fails; 180 when absent, at most 3600. It holds the boot up. */
  readonly loadTimeoutSeconds?: number;
  /** Credentials on the node; its pull secret, `/var/lib/kubelet/config.json`, when absent. */
  readonly authFile?: string;
  /** Where firmware of the image goes on the node; `/var/lib/firmware` when absent. */
  readonly firmwareDirectory?: string;
  /** Image of the KMM worker that loads the module; for `kmm` only. */
  readonly workerImage?: string;
}

/** Drivers to load, in this order. */
export interface Day1DriversOptions extends Day1CommonOptions {
  readonly drivers: readonly Day1DriverOptions[];
}

/** The same for one driver of one module. */
export interface Day1ModuleOptions extends Day1CommonOptions, Day1ImageOptions {
  /** The module, as `lsmod` shows it. */
  readonly module: string;
  readonly parameters?: Readonly<Record<string, string>>;
  /** In-tree modules that are unloaded first, and loaded again when this one is unloaded. */
  readonly replaces?: readonly string[];
}

export type Day1Options = Day1DriversOptions | Day1ModuleOptions;

/** Where the modules of a driver come from. */
export interface Day1ImageOptions {
  /**
   * The kmod image, one of:
   *
   * - a repository (`quay.io/acme/ice`): nodes add the tag that is their kernel release, with `_` for `+`, as KMM does;
   * - an image by digest or by tag, which holds the modules of every kernel that nodes will boot;
   * - images by digest for each kernel release: `{ '5.14.0-427.50.1.el9_4.x86_64': 'quay.io/acme/ice@sha256:...' }`.
   */
  readonly image: string | Readonly<Record<string, string>>;
  /** Directory of the image whose files are firmware, for instance `/firmware`. */
  readonly firmware?: string;
  /** Directory of the image that holds `lib/modules`; `/opt` when absent. */
  readonly directory?: string;
}

export interface Day1DriverOptions extends Day1ImageOptions {
  /** Names units and files on the node: lower-case letters, digits and `-`. */
  readonly name: string;
  /** In the order in which they are loaded. */
  readonly modules: readonly Day1ModuleEntry[];
  /** Modules of the host to load before and after a module, beside those it depends on. */
  readonly softdeps?: readonly {
    readonly module: string;
    readonly pre?: readonly string[];
    readonly post?: readonly string[];
  }[];
}

export interface Day1ModuleEntry {
  readonly name: string;
  readonly parameters?: Readonly<Record<string, string>>;
  readonly replaces?: readonly string[];
}

/** Options that were read: every text in it is one that units, scripts and files can hold. */
export interface Day1Request {
  readonly name: ObjectName;
  readonly pool: ObjectName;
  readonly loader: LoaderName;
  /** At least one. No module is in two of them. */
  readonly drivers: readonly Day1Driver[];
  readonly isRemoval: boolean;
  readonly activation: Activation;
  readonly hasProxy: boolean;
  readonly pullTimeoutSeconds: number;
  readonly loadTimeoutSeconds: number;
  readonly authFile: AbsolutePath;
  /** At most 255 characters: the kernel takes no more in `firmware_class.path`. */
  readonly firmwareDirectory: NodePath;
  readonly workerImage: RegistryReference | undefined;
}

export interface Day1Driver {
  /** DNS-1123 label, unlike that of any other driver. */
  readonly name: ObjectName;
  readonly image: KmodImage;
  readonly firmware: AbsolutePath | undefined;
  readonly directory: AbsolutePath;
  /** At least one, in the order in which they are loaded. */
  readonly modules: readonly Day1Module[];
  readonly softdeps: readonly Day1Softdep[];
}

/** A kmod image as nodes find it. A digest never has a tag beside it. */
export type KmodImage =
  /** Nodes add the tag that is their kernel release, `tagFrom` of it. */
  | { readonly type: 'tag-by-kernel'; readonly repository: RegistryReference }
  /** By digest or tag. */
  | { readonly type: 'one'; readonly reference: RegistryReference }
  /** By digest for each kernel. */
  | { readonly type: 'by-kernel'; readonly references: ReadonlyMap<KernelRelease, RegistryReference> };

export interface Day1Module {
  readonly name: ModuleName;
  /** Printable ASCII without quotes, backslashes and `#`. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly replaces: readonly ModuleName[];
}

export interface Day1Softdep {
  readonly module: ModuleName;
  readonly pre: readonly ModuleName[];
  readonly post: readonly ModuleName[];
}

/** Makes what a node needs to pull the images and load the modules of a request. */
export type Day1Loader = (request: Day1Request) => NodeParts;
