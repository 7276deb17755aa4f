import { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { addImageFlags, addOutputFlag, type ImageFlags, type OutputFlags } from '../flags.ts';

/** `kmodlayer doctor`: looks at everything around kmodlayer that may keep it from working; reaches no network. */
export function doctorCommand(context: CliContext): Command {
  const command = new Command('doctor')
    .description('look for credentials, proxy, CAs, engine, emulator, disk space and KVM; reaches no network')
    .argument('[registry...]', 'registries or repositories that you use, for instance quay.example.com/acme');
  return addImageFlags(addOutputFlag(command))
    .addHelpText(
      'after',
      '\nExample:\n  kmodlayer doctor quay.io/openshift-release-dev quay.example.com/acme --authfile ./pull-secret.json',
    )
    .action(async (registries: readonly string[], flags: ImageFlags & OutputFlags) => {
      const { checkMachine } = await import('../doctor/machine.ts');
      const { checkRegistries } = await import('../doctor/registries.ts');
      const { printResult } = await import('../report/output.ts');
      const { formatTable } = await import('../report/table.ts');
      const { CheckFailed } = await import('../exit-codes.ts');
      const options = { context, flags, registries };

      const checks = [...(await checkRegistries(options)), ...(await checkMachine(options))];

      await printResult(context, flags.output, {
        verb: 'doctor',
        data: { checks },
        text: () => {
          const rows = checks.map(({ name, status, detail }) => [status, name, detail]);
          const hints = checks.flatMap(({ name, hint }) =>
            hint === undefined ? [] : [`${name}: ${hint}\n`],
          );
          return `${formatTable(['STATUS', 'CHECK', 'FOUND'], rows)}${hints.length === 0 ? '' : '\n'}${hints.join('')}`;
        },
      });
      if (checks.some(({ status }) => status === 'error')) throw new CheckFailed();
    });
}
