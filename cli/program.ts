import { Command } from 'commander';
import { bundleCommand } from './commands/bundle.ts';
import { completionCommand } from './commands/completion.ts';
import { diffCommand } from './commands/diff.ts';
import { doctorCommand } from './commands/doctor.ts';
import { initrdCommand } from './commands/initrd.ts';
import { inspectCommand } from './commands/inspect.ts';
import { lintCommand } from './commands/lint.ts';
import { machineConfigCommand } from './commands/machine-config.ts';
import { lockCommand } from './commands/lock.ts';
import { resolveCommand } from './commands/resolve.ts';
import { planCommand } from './commands/plan.ts';
import { buildCommand } from './commands/build.ts';
import { verifyCommand } from './commands/verify.ts';
import { enrollCommand } from './commands/enroll.ts';
import { signCommand } from './commands/sign.ts';
import { depmodCommand } from './commands/depmod.ts';
import type { CliContext } from './context.ts';
import { VERSION } from './version.ts';

/** In the order in which help lists them. */
const VERBS = [
  resolveCommand,
  lockCommand,
  planCommand,
  buildCommand,
  signCommand,
  enrollCommand,
  inspectCommand,
  depmodCommand,
  initrdCommand,
  verifyCommand,
  diffCommand,
  lintCommand,
  machineConfigCommand,
  bundleCommand,
  doctorCommand,
  completionCommand,
];

/** The whole command line as a tree of commands. Each loads what it does only when it runs. */
export function makeProgram(context: CliContext): Command {
  const program = new Command('kmodlayer')
    .description(
      'Turns a kernel driver and a list of OpenShift releases into signed, digest-pinned node images and the manifests that roll them out.',
    )
    .version(VERSION, '--version', 'print the version')
    .helpCommand('help [command]', 'print help of a command')
    .addHelpText('after', `\nExit codes:\n${EXIT_CODE_HELP}`);
  for (const make of VERBS) {
    program.addCommand(make(context));
  }
  for (const command of withSubcommands(program)) prepare(command, context);
  return program;
}

const EXIT_CODE_HELP = `  0 done, 1 the thing checked is not so, 2 usage or spec, 3 not authorised, 4 cannot resolve, 5 compile failed,
  6 a module would not load, 7 signing, 8 registry or network, 9 some targets failed and the others are done,
  70 a bug, 130 interrupted`;

/** What every command shares: texts go to the context, errors become exceptions. */
function prepare(command: Command, context: CliContext): void {
  command
    .exitOverride()
    .helpOption('-h, --help', 'print help')
    .configureHelp({ helpWidth: 100, sortSubcommands: false })
    .showHelpAfterError(`hint: Run "${nameOf(command)} --help".`)
    .configureOutput({
      writeOut: (text) => {
        context.stdout.write(text);
      },
      writeErr: (text) => {
        context.stderr.write(text);
      },
      getOutHelpWidth: () => 100,
      getErrHelpWidth: () => 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
}

function nameOf(command: Command): string {
  return command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`;
}

function withSubcommands(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)];
}
