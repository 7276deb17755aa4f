import { describe, expect, it } from 'vitest';
import { treeText } from '../../../cli/report/tree-text.ts';

describe('treeText()', () => {
  it('draws directories, joins those with nothing else in them, and lines up columns', () => {
    const leaves = [
      { path: 'usr/lib/modules/6.1/extra/a.ko', mark: '+', columns: ['7 B', 'a 1.0, unsigned'] },
      { path: 'usr/lib/modules/6.1/modules.dep', mark: '~', columns: ['512 kB', ''] },
      { path: 'usr/lib/x', mark: '-', columns: ['', 'was 3 B'] },
      { path: 'z', mark: '?', columns: ['0 B', ''] },
    ];

    expect(treeText(leaves, (below) => `${below.length} files`)).toBe(
      `├── usr/lib/               3 files
│   ├── modules/6.1/       2 files
│   │   ├── extra/         1 files
│   │   │   └── + a.ko         7 B  a 1.0, unsigned
│   │   └── ~ modules.dep   512 kB
│   └── - x                         was 3 B
└── ? z                        0 B
`,
    );
  });

  it('does not let names change the terminal', () => {
    expect(treeText([{ path: 'a\u001b[31m', mark: '+', columns: [] }], () => '')).not.toContain('\u001b');
  });

  it('is empty for nothing', () => {
    expect(treeText([], () => '')).toBe('');
  });
});
