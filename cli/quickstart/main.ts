import { makeProcessContext } from '../process-context.ts';
import { quickstart } from './quickstart.ts';

process.exitCode = await quickstart(process.argv.slice(2), makeProcessContext());
