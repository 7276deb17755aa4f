import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { measure } from './measure.ts';
import type { Row } from './table.ts';

const ROUNDS = 3;
const COUNT = 1000;

/** Reads files and gives them to the parser of YAML, and nothing else. */
const PARSE = `
import { readdirSync, readFileSync } from 'node:fs';
import { parseAllDocuments } from ${JSON.stringify(resolve('node_modules/yaml/dist/index.js'))};
for (const name of readdirSync(process.argv[1]).sort())
  for (const document of parseAllDocuments(readFileSync(process.argv[1] + '/' + name, 'utf8'))) document.toJS();
`;

/** MachineConfigs of a must-gather, linted, beside parsing them with `yaml`; in files, and in one list. */
export async function benchLint(directory: string): Promise<readonly Row[]> {
  const root = join(directory, 'lint');
  rmSync(root, { recursive: true, force: true });
  const objects = Array.from({ length: COUNT }, (_, at) => machineConfig(at));
  const files = join(root, 'files');
  const list = join(root, 'list');
  for (const made of [files, list]) mkdirSync(made, { recursive: true });
  objects.forEach((object, at) => {
    writeFileSync(join(files, `${at}.yaml`), toYaml(object));
  });
  writeFileSync(join(list, 'list.yaml'), toYaml({ apiVersion: 'v1', kind: 'List', items: objects }));

  const main = resolve('dist/cli/main.js');
  const rows: readonly Measured[] = [files, list].map((path) => ({ path, parse: [], lint: [] }));
  for (let round = 0; round < ROUNDS; round++) {
    for (const { path, parse, lint } of rows) {
      const out = join(root, 'report.json');
      parse.push(
        measure([{ argv: [process.execPath, '--input-type=module', '-e', PARSE, path] }], { disk: root }),
      );
      // What is found ends it with 1, and that is no failure here.
      const run = `"$0" "$1" lint "$2" -o json --output-file "$3" || [ $? = 1 ]`;
      lint.push(measure([{ argv: ['sh', '-c', run, process.execPath, main, path, out] }], { disk: root }));
    }
  }
  const megabytes = (readFileSync(join(list, 'list.yaml')).length / 1e6).toFixed(0);
  return rows.flatMap(({ path, parse, lint }) => {
    const what = path === files ? `${COUNT} files` : `a list of ${COUNT}`;
    return [
      { name: `yaml, ${what}`, samples: parse },
      {
        name: `kmodlayer lint, ${what}`,
        samples: lint,
        against: [{ name: `yaml, ${what}`, goal: 1 / 3 }],
        notes: [`kmodlayer lint, ${what}: ${COUNT} MachineConfigs, ${megabytes} MB of YAML`],
      },
    ];
  });
}

interface Measured {
  readonly path: string;
  readonly parse: ReturnType<typeof measure>[];
  readonly lint: ReturnType<typeof measure>[];
}

function toYaml(object: unknown): string {
  return stringify(object, { lineWidth: 0, aliasDuplicateObjects: false });
}

/** One in ten is as large as a rendered one; every other has a unit, a script, and some files. */
function machineConfig(at: number): object {
  const isLarge = at % 10 === 0;
  const script = `#!/bin/bash\nset -e\nwhile ! podman pull "$IMAGE:$(uname -r)"; do sleep 10; done\n# ${at}\n`;
  const unit = `[Unit]\nDescription=Driver ${at}\nAfter=network-online.target\n\n[Service]\nType=oneshot\nExecStart=/usr/local/bin/load-${at}.sh\n\n[Install]\nWantedBy=multi-user.target\n`;
  const files = Array.from({ length: isLarge ? 120 : 4 }, (_, file) => ({
    path: `/etc/made-up.d/${at}-${file}.conf`,
    mode: file === 3 ? 644 : 420,
    overwrite: true,
    contents: {
      source: `data:text/plain;charset=utf-8;base64,${randomBytes(isLarge ? 3000 : 300).toString('base64')}`,
    },
  }));
  return {
    apiVersion: 'machineconfiguration.openshift.io/v1',
    kind: 'MachineConfig',
    metadata: {
      name: `${50 + (at % 50)}-worker-${at}`,
      uid: `00000000-0000-0000-0000-${String(at).padStart(12, '0')}`,
      labels: { 'machineconfiguration.openshift.io/role': `pool-${at % 20}` },
      creationTimestamp: '2026-01-01T00:00:00Z',
    },
    spec: {
      config: {
        ignition: { version: '3.4.0' },
        storage: {
          files: [
            ...files,
            {
              path: `/usr/local/bin/load-${at}.sh`,
              mode: 493,
              contents: { source: `data:;base64,${Buffer.from(script).toString('base64')}` },
            },
          ],
        },
        systemd: {
          units: Array.from({ length: isLarge ? 40 : 1 }, (_, index) => ({
            name: `load-${at}-${index}.service`,
            enabled: true,
            contents: unit,
          })),
        },
      },
      kernelArguments: [`driver${at}.debug=1`],
      ...(at % 7 === 0 ? { osImageURL: `quay.io/made-up/os:${at}` } : {}),
    },
  };
}
