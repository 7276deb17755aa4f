import { moduleNameOfPath } from '../../../spec/module-name.ts';
import type { Finding } from '../../report.ts';
import { MODULE_FILE } from '../added-layer.ts';
import { dependenciesOfIndex, isLeft, kernelPathOf } from '../kernel-paths.ts';
import type { LintInput } from '../lint-input.ts';
import { countOf, groupBy, namesOf } from '../words.ts';

const KERNELS = 'usr/lib/modules';

/** What a kernel cannot boot or find its modules without. */
const NEEDED = /^(?:vmlinuz|initramfs\.img|modules\.(?:dep|alias|symbols)(?:\.bin)?|modules\.softdep)$/;

/**
 * Rules on the kernels of an image: one that boots, with all that it needs, and modules for that one.
 *
 * @see rpm-ostree: `Found multiple subdirectories in usr/lib/modules`; bootc lint `kernel`
 */
export function kernelRules(input: LintInput): Finding[] {
  return [
    ...twoKernels(input),
    ...kernelReplaced(input),
    ...absentKernel(input),
    ...removesNeeded(input),
    ...removesModules(input),
  ];
}

function twoKernels({ tree, baseKernel }: LintInput): Finding[] {
  const added = [...tree.entries.keys()].flatMap((path) => {
    const found = kernelPathOf(path);
    return found?.path === 'vmlinuz' ? [found.kernel] : [];
  });
  const kept =
    baseKernel !== undefined && isLeft(tree, `${KERNELS}/${baseKernel}/vmlinuz`) ? [baseKernel] : [];
  const kernels = [...new Set([...kept, ...added])];
  if (kernels.length < 2) return [];
  const path = `${KERNELS}/${added.find((kernel) => kernel !== baseKernel) ?? ''}/vmlinuz`;
  return [
    {
      rule: 'two-kernels',
      severity: 'error',
      path,
      layer: tree.entries.get(path)?.layer.descriptor.digest,
      message: `the image has ${kernels.length} kernels (${namesOf(kernels)}): nodes do not know which one to boot, and refuse it`,
      hint: 'Remove the old kernel in the step that installs the new one: rpm-ostree override replace, or dnf swap.',
    },
  ];
}

function kernelReplaced({ kernel, baseKernel }: LintInput): Finding[] {
  if (kernel === undefined || baseKernel === undefined || kernel === baseKernel) return [];
  return [
    {
      rule: 'kernel-replaced',
      severity: 'note',
      path: `${KERNELS}/${kernel}`,
      message: `a layer replaces the kernel ${baseKernel} by ${kernel}: the modules that came with it are taken as they are, the others are checked against it`,
    },
  ];
}

function absentKernel({ tree, kernel, baseKernel }: LintInput): Finding[] {
  if (kernel === undefined) return [];
  const modules = [...tree.entries.values()].flatMap(({ entry, layer }) => {
    const found =
      entry.type !== 'directory' && MODULE_FILE.test(entry.path) ? kernelPathOf(entry.path) : undefined;
    return found === undefined ? [] : [{ ...found, layer, file: entry.path }];
  });
  return [...groupBy(modules, (module) => module.kernel)].flatMap(([other, found]): Finding[] => {
    const [first] = found;
    if (first === undefined || other === kernel || other === baseKernel) return [];
    return [
      {
        rule: 'absent-kernel',
        severity: 'error',
        path: first.file,
        layer: first.layer.descriptor.digest,
        message: `${countOf(found.length, 'module')} for the kernel ${other} (${namesOf(found.map(({ path }) => path))}), which the image does not have: it boots ${kernel}, and never looks there`,
        hint: `Build the modules for ${kernel}, with the driver-toolkit of this release, and put them below /${KERNELS}/${kernel}.`,
      },
    ];
  });
}

function removesNeeded({ tree, kernel, baseKernel }: LintInput): Finding[] {
  if (kernel === undefined || kernel !== baseKernel) return [];
  const directory = `${KERNELS}/${kernel}`;
  return tree.removed.flatMap(({ path, isOpaque, layer }): Finding[] => {
    const isAbove = path === '' || path === directory || `${directory}/`.startsWith(`${path}/`);
    const name = isOpaque || !path.startsWith(`${directory}/`) ? '' : path.slice(directory.length + 1);
    const isGone = isAbove
      ? !tree.entries.has(`${directory}/vmlinuz`)
      : NEEDED.test(name) && !tree.entries.has(path);
    if (!isGone) return [];
    return [
      {
        rule: 'removes-needed',
        severity: 'error',
        path,
        layer: layer.descriptor.digest,
        message: isAbove
          ? `a layer removes ${isOpaque ? 'what the base has in' : ''} ${path === '' ? 'the root' : path}: the image has no kernel to boot`.replaceAll(
              '  ',
              ' ',
            )
          : `a layer removes ${path}: ${name.startsWith('modules.') ? 'modprobe does not find modules without it' : 'the node does not boot without it'}`,
        hint: 'Leave it in the image.',
      },
    ];
  });
}

/** Modules of the base that are gone: told apart by whether something still needs them. */
function removesModules({ tree, kernel, baseKernel, baseIndexes }: LintInput): Finding[] {
  if (kernel === undefined || kernel !== baseKernel || tree.removed.length === 0) return [];
  const directory = `${KERNELS}/${kernel}/`;
  const dependencies = dependenciesOfIndex(baseIndexes.get('modules.dep'));
  const there = new Set(
    [...tree.entries.keys()].flatMap((path) =>
      path.startsWith(directory) && MODULE_FILE.test(path) ? [moduleNameOfPath(path)] : [],
    ),
  );
  const gone = new Set(
    [...dependencies.keys()].filter(
      (path) => !isLeft(tree, directory + path) && !there.has(moduleNameOfPath(path)),
    ),
  );
  const [first] = gone;
  if (first === undefined || gone.size === dependencies.size) return [];
  const users = [...dependencies].filter(
    ([path, needs]) => !gone.has(path) && needs.some((need) => gone.has(need)),
  );
  const what = `a layer removes ${countOf(gone.size, 'module')} of the base (${namesOf([...gone])})`;
  return [
    users.length > 0
      ? {
          rule: 'removes-needed',
          severity: 'error',
          path: directory + first,
          message: `${what}, which ${namesOf(users.map(([path]) => path))} cannot be loaded without`,
          hint: 'Leave the modules in the image, and blacklist in modprobe.d what must not be loaded.',
        }
      : {
          rule: 'removes-module',
          severity: 'warning',
          path: directory + first,
          message: `${what}: hardware and features that need them stop working`,
          hint: 'Blacklist modules in modprobe.d instead of removing them, unless that is what you want.',
        },
  ];
}
