import type { Arch } from '../oci/arch.ts';
import type { Digest } from '../oci/digest.ts';
import type { Reference } from '../oci/reference.ts';
import type { KernelFlavour, KernelRelease } from './kernel-release.ts';
import type { ModuleName } from './module-name.ts';
import type { OpenShiftVersion } from './openshift-version.ts';
import type { Pkcs11Uri } from './pkcs11-uri.ts';
import type { Minor, ReleaseRange } from './release-range.ts';

/**
 * A spec that was read and checked: drivers, the releases they are built for, and where the images go. Paths are kept
 * as they stand in the file; `pathFrom` and `referenceFrom` resolve them against the directory of the spec.
 */
export interface DriverSet {
  /** DNS-1123 label; names what is made: files under `/usr/share/kmodlayer`, manifests, tags. */
  readonly name: string;
  /** The spec as the caller named it; relative paths in it start at its directory. */
  readonly file: string;
  readonly targets: TargetSelection;
  /** At least one. */
  readonly drivers: readonly Driver[];
  readonly signing: Signing;
  readonly publish: {
    /** Repository of the layered images, without tag and digest. */
    readonly osImage: Reference;
    /** Repository of the kmod images, without tag and digest. */
    readonly kmodImage?: Reference | undefined;
    /** Image that the kmod images stand on; undefined: on none. */
    readonly kmodBase?: Reference | undefined;
  };
  readonly reuse: {
    /** Takes modules that were made for another kernel when they are proven to load on the one that is built for. */
    readonly withoutCompiling: boolean;
  };
  readonly rollout: {
    /** Names of MachineConfigPools; `worker` when the spec names none. */
    readonly pools: readonly string[];
    /** Names of the drivers that Day 1 units load, in this order. */
    readonly day1?: readonly string[];
  };
}

/** Which releases, architectures, streams and kernels to build for. */
export interface TargetSelection {
  /** In the order of the file, each once; `exclude` and `ceilings` are still to be heeded. */
  readonly releases: readonly ReleaseRequest[];
  /** Where ranges are looked up; undefined: the public update service of OpenShift. */
  readonly graph: GraphLocation | undefined;
  /** Repository that release versions are tags of; undefined: the public one of OpenShift or, for its versions, OKD. */
  readonly releaseRepository: Reference | undefined;
  readonly arches: readonly Arch[];
  /** Undefined: the default stream of each release. */
  readonly streams: readonly string[] | undefined;
  readonly kernels: readonly KernelFlavour[];
  readonly exclude: readonly Exclusion[];
  /** The last release of a minor that is built for. */
  readonly ceilings: readonly Ceiling[];
}

/** Releases or kernels that are not built for, whatever names them, and why. */
export type Exclusion = { readonly because: string } & (
  | { readonly type: 'release'; readonly range: ReleaseRange }
  /** Releases whose OS image has this kernel. `*` stands for any characters. */
  | { readonly type: 'kernel'; readonly pattern: string }
);

/** Releases of a minor after this one are not built for, and why. */
export interface Ceiling {
  readonly minor: Minor;
  readonly release: OpenShiftVersion;
  readonly because: string;
}

/** Where an update graph is. */
export type GraphLocation =
  /** Address of the graph itself, to which a query is added. */
  | { readonly type: 'url'; readonly url: string }
  /** A file with an answer of an update service; relative paths start at the spec. */
  | { readonly type: 'file'; readonly path: string };

/** A release as people name it: by version, or by the image that is its payload; or all releases of a range. */
export type ReleaseRequest =
  | { readonly type: 'version'; readonly version: OpenShiftVersion }
  | { readonly type: 'range'; readonly range: ReleaseRange }
  | { readonly type: 'image'; readonly reference: Reference };

/** One source, one version, one or more modules. */
export interface Driver {
  /** DNS-1123 label; also the directory of its modules below `extra/`. */
  readonly name: string;
  readonly version: string;
  readonly source: DriverSource;
  /** Undefined exactly when the source is `files`: those are modules already. */
  readonly build: DriverBuild | undefined;
  /** At least one. */
  readonly modules: readonly ModuleSpec[];
  readonly softdeps: readonly Softdep[];
  /** Directory whose files go under `usr/lib/firmware`. */
  readonly firmware: string | undefined;
  /** Names of drivers of this set whose symbols it imports; never in a circle. */
  readonly dependsOn: readonly string[];
}

/** A file that its checksum names, on the web or on this machine. */
export interface FileSource {
  readonly location:
    { readonly type: 'url'; readonly url: string } | { readonly type: 'file'; readonly path: string };
  readonly sha256: Digest;
}

/** A package, and the kernel that it is for; undefined: it is the only one. */
export interface RpmSource {
  readonly kernel: KernelRelease | undefined;
  readonly file: FileSource;
}

/** A tree of source files. */
export type SourceTree =
  | { readonly type: 'directory'; readonly path: string }
  | { readonly type: 'git'; readonly url: string; readonly ref: string }
  | {
      readonly type: 'archive';
      readonly file: FileSource;
      /** Directory in the archive; undefined: the only one at its top, or all of it. */
      readonly directory: string | undefined;
    };

/** Where the source of a driver is. */
export type DriverSource =
  | SourceTree
  /** A source package, prepared as its spec says and then built as `build` says. */
  | { readonly type: 'srpm'; readonly file: FileSource }
  /** Packages with modules that are built already. */
  | { readonly type: 'rpm'; readonly packages: readonly [RpmSource, ...RpmSource[]] }
  /**
   * Images with modules that are built already, below any prefix. `{kernel}` stands for the kernel release as tags
   * spell it, `{arch}` for the architecture.
   */
  | { readonly type: 'image'; readonly pattern: string }
  /** A tree whose `dkms.conf` says how it is built. */
  | { readonly type: 'dkms'; readonly tree: SourceTree }
  /** A file with a Module of KMM and the ConfigMap of its Dockerfile; `name` says which Module when it has several. */
  | { readonly type: 'module'; readonly path: string; readonly name: string | undefined }
  | { readonly type: 'files'; readonly paths: readonly string[] };

interface BuildInputs {
  /** Build arguments; never secret. */
  readonly args: Readonly<Record<string, string>>;
  /** Files that are mounted while the build runs. */
  readonly secrets: readonly { readonly id: string; readonly file: string }[];
  /**
   * Directory that holds the built modules: for `run` relative to the source, for `containerfile` an absolute path in
   * the stage. Undefined: wherever they are found.
   */
  readonly output: string | undefined;
}

/** How a source becomes modules. */
export type DriverBuild =
  | (BuildInputs & {
      readonly type: 'run';
      /** A shell command, run in the driver-toolkit with `KERNEL_RELEASE` set. */
      readonly command: string;
      /** Directory in the source where it runs; undefined: the top of the source. */
      readonly workdir: string | undefined;
    })
  | (BuildInputs & {
      readonly type: 'containerfile';
      readonly path: string;
      /** The stage that holds the modules; undefined: the last one. */
      readonly stage: string | undefined;
    })
  /** As the Module of the source says. */
  | (BuildInputs & { readonly type: 'module' })
  /** As the `dkms.conf` of the source says. */
  | (BuildInputs & {
      readonly type: 'dkms';
      /** Directory in the source that has it; undefined: the top of the source. */
      readonly workdir: string | undefined;
    });

/** A module that the driver provides. */
export interface ModuleSpec {
  readonly name: ModuleName;
  /** Load it at each boot through `modules-load.d`, whether or not a device asks for it. */
  readonly autoload: boolean;
  /** In-tree modules that it takes the place of. */
  readonly replaces: readonly ModuleName[];
  /** Values for `modprobe.d`: printable ASCII without `"`, `\` and `#`, so that double quotes always hold them. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Also in the initramfs, with all that it needs. */
  readonly initramfs?: boolean | undefined;
}

/** Modules that are loaded before and after another, when they exist. */
export interface Softdep {
  readonly module: ModuleName;
  readonly pre: readonly ModuleName[];
  readonly post: readonly ModuleName[];
}

/** Hash that a module signature is made with. */
export type SignatureHash = 'sha256' | 'sha384' | 'sha512';

/** How the modules of a set are signed. */
export type Signing =
  | { readonly type: 'unsigned' }
  /** With a key that lives for one build and is never written; what is made so cannot be published. */
  | { readonly type: 'throw-away' }
  /** One signer, or two while a key is being replaced. */
  | { readonly type: 'signers'; readonly signers: readonly [SignerSettings, ...SignerSettings[]] };

/** A key and its certificate, by reference. */
export type SignerSettings = KeyFileSettings | Pkcs11Settings | CommandSettings;

interface AnySignerSettings {
  /** File of the certificate. */
  readonly certificate: string;
  readonly hash: SignatureHash;
}

/** A private key in a file. */
export interface KeyFileSettings extends AnySignerSettings {
  readonly type: 'file';
  readonly key: string;
  /** Where the passphrase of the key is; undefined: the key has none. */
  readonly passphrase: SecretSource | undefined;
}

/** A private key in a token that speaks PKCS#11. */
export interface Pkcs11Settings extends AnySignerSettings {
  readonly type: 'pkcs11';
  readonly key: Pkcs11Uri;
  /** Library of the token; undefined: the one that the URI or `PKCS11_MODULE_PATH` names. */
  readonly library: string | undefined;
  /** Where the PIN of the token is; undefined: where the URI says, or the token asks for none. */
  readonly pin: SecretSource | undefined;
}

/** A program that signs. */
export interface CommandSettings extends AnySignerSettings {
  readonly type: 'command';
  /** The program and its arguments; no shell reads them. */
  readonly command: readonly [string, ...string[]];
  /** What it is given: the module without a signature, or its digest. */
  readonly input: 'file' | 'digest';
  /** How long it may take for one module, in milliseconds. */
  readonly timeoutMs: number;
}

/** A secret by reference: an environment variable, or a file whose first line it is. */
export type SecretSource =
  { readonly type: 'env'; readonly name: string } | { readonly type: 'file'; readonly path: string };
