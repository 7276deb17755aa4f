import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { verifyHtml } from '../../../cli/report/html/verify-html.ts';
import type { VerifyReport } from '../../../src/verify/report.ts';
import {
  bootOf,
  brokenIceOf,
  checksOf,
  moduleOf,
  symbolsOf,
  targetOf,
  verifyReportOf,
  withTexts,
} from '../../support/verify-reports.ts';

function htmlOf(report: VerifyReport): string {
  return verifyHtml(report, { toolVersion: '1.2.3', at: new Date('2026-11-20T21:30:15Z'), verb: 'verify' });
}

/** Tags with the names of their attributes, which is what a browser acts on. */
function tagsOf(html: string): readonly string[] {
  return [...html.matchAll(/<[^>]*>/g)].map(([tag]) => tag.replaceAll(/"[^"]*"/g, '""'));
}

function valuesOf(html: string, attribute: string): readonly string[] {
  return [...html.matchAll(new RegExp(`<[^>]* ${attribute}="([^"]*)"`, 'g'))].map((match) => match[1]!);
}

describe('verifyHtml()', () => {
  it('writes what fixtures/reports/verify.html is', async () => {
    await expect(htmlOf(verifyReportOf())).toMatchFileSnapshot('../../../fixtures/reports/verify.html');
  });

  it('writes the same bytes for the same report', () => {
    expect(htmlOf(structuredClone(verifyReportOf()))).toBe(htmlOf(verifyReportOf()));
  });

  it('says the verdict in words, in the title and in the first heading', () => {
    const html = htmlOf(verifyReportOf());
    const passing = htmlOf({ verdict: 'passes', targets: [targetOf()] });

    expect(html).toContain('<title>1 of 3 targets fails – kmodlayer verify</title>');
    expect(html).toMatch(/<h1>.*1 of 3 targets fails.*<\/h1>/);
    expect(html).toContain('<a href="#t3">4.19.0 x86_64</a>: ice would not load: 3 of 22 checks fail');
    expect(passing).toMatch(/<h1>.*4\.18\.4 x86_64 passes.*<\/h1>/);
    expect(passing).toContain(
      'Each module passes every static check of load_module; init() and hardware not proven.',
    );
    expect(passing).not.toContain('class="mark fail"');
  });

  it.each([
    [[], 'Nothing was to be proven'],
    [['passes', 'passes'], 'All 2 targets pass'],
    [['fails', 'fails'], 'All 2 targets fail'],
    [['fails', 'fails', 'passes'], '2 of 3 targets fail'],
    [['fails'], '4.18.4 x86_64 fails'],
  ] as const)('has a headline for %j', (verdicts, headline) => {
    const html = htmlOf({
      verdict: verdicts.every((verdict) => verdict === 'passes') ? 'passes' : 'fails',
      targets: verdicts.map((verdict) => targetOf({ verdict })),
    });

    expect(html).toContain(`<title>${headline} – `);
  });

  it('says which targets it has no proof of', () => {
    const unproven = [{ subject: '4.18.9', message: 'Cannot resolve 4.18.9' }];
    const titleOf = (targets: VerifyReport['targets']): string =>
      /<title>(.*) – /.exec(htmlOf({ verdict: 'fails', targets, unproven }))![1]!;

    expect(titleOf([targetOf()])).toBe('1 of 2 targets without a proof');
    expect(titleOf([targetOf({ verdict: 'fails' }), targetOf()])).toBe(
      '1 of 3 targets fails, 1 of 3 targets without a proof',
    );
    expect(titleOf([])).toBe('1 of 1 target without a proof');
    expect(htmlOf({ verdict: 'fails', targets: [targetOf()], unproven })).toContain(
      '<li>4.18.9: Cannot resolve 4.18.9</li>',
    );
  });

  it('gives headings in order, ids once, and links that lead somewhere', () => {
    const html = htmlOf(verifyReportOf());
    const levels = [...html.matchAll(/<h(\d)/g)].map((match) => Number(match[1]));
    const ids = valuesOf(html, 'id');

    expect(levels.filter((level) => level === 1)).toHaveLength(1);
    levels.forEach((level, index) => {
      expect(level).toBeLessThanOrEqual((levels[index - 1] ?? 0) + 1);
    });
    expect(new Set(ids).size).toBe(ids.length);
    for (const target of [
      ...valuesOf(html, 'href').map((href) => href.slice(1)),
      ...valuesOf(html, 'aria-labelledby'),
    ]) {
      expect(ids).toContain(target);
    }
  });

  it('shows symbols that changed before all others', () => {
    const html = htmlOf({ verdict: 'fails', targets: [targetOf({ modules: [brokenIceOf()] })] });
    const places = [
      'dev_change_flags</code>',
      '0x1e4c00d9',
      'mmu_notifier_range_update',
      'kmalloc_fixture_0',
    ].map((text) => html.indexOf(text));

    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(places[0]).toBeGreaterThan(0);
  });

  it('puts many kernels into several tables, each with the targets that have them', () => {
    const targets = Array.from({ length: 10 }, (_, index) =>
      targetOf({ kernel: `6.1.0-${index}-amd64` as never, release: `4.18.${index}` }),
    );
    const html = htmlOf({ verdict: 'passes', targets });

    expect(html.match(/<table class="matrix">/g)).toHaveLength(3);
    expect(html).toContain('(3 of 3)');
    expect(html.match(/<div class="verdict">/g)).toHaveLength(10);
  });

  it('lists what it was not drawn for as a table', () => {
    const modules = Array.from({ length: 70 }, (_, index) =>
      moduleOf(`m${index}`, { dependencies: [`kernel/k${index}.ko`] }),
    );
    const html = htmlOf({ verdict: 'passes', targets: [targetOf({ modules })] });

    expect(html).toContain('140 modules and 70 arrows are too many for a picture.');
    expect(html).toContain('<code>kernel/k69.ko</code>');
    expect(html).not.toContain('<svg class="graph"');
  });
});

describe('verifyHtml() with hostile texts', () => {
  const ATTACKS = [
    '<script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    '</style><style>*{display:none}</style>',
    '</title></pre></details></table></main><h1>All pass</h1>',
    '--><!--',
    '<![CDATA[<svg onload=alert(1)>]]>',
    '&lt;b&gt;&#60;b&#62;',
    '`${alert(1)}`',
    '\u202e\u2066\0\u001b[31m\u009b\ud800',
    'javascript:alert(1)',
  ];

  it.each(ATTACKS)('writes the same tags with %j everywhere', (attack) => {
    const benign = htmlOf(withTexts(verifyReportOf(), (text) => `${text}x`));
    const hostile = htmlOf(withTexts(verifyReportOf(), (text) => `${text}${attack}`));

    expect(tagsOf(hostile)).toEqual(tagsOf(benign));
  });

  it('writes the same tags whatever the texts are', () => {
    const benign = tagsOf(htmlOf(withTexts(verifyReportOf(), (text) => `${text}x`)));
    const parts = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(...ATTACKS, '<', '>', '"', "'", '&', '`'),
    );
    fc.assert(
      fc.property(fc.array(parts, { maxLength: 8 }), (texts) => {
        const html = htmlOf(withTexts(verifyReportOf(), (text) => `${text}x${texts.join('')}`));

        expect(tagsOf(html)).toEqual(benign);
        expect(html).not.toMatch(/[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]|\p{Surrogate}/u);
      }),
      { numRuns: 200 },
    );
  });

  it('writes no texts into attributes that a browser acts on', () => {
    const html = htmlOf(withTexts(verifyReportOf(), () => 'javascript:alert(1)'));

    for (const attribute of ['href', 'src', 'id', 'class', 'style', 'marker-end', 'aria-labelledby']) {
      for (const value of valuesOf(html, attribute)) expect(value).not.toContain('javascript');
    }
    expect(html).not.toMatch(/<[^>]* (?:style|src|on\w+)=/);
  });

  it('forbids everything but its own styles', () => {
    expect(htmlOf(verifyReportOf())).toMatch(
      /<meta http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;; style-src &#39;sha256-[\w+/]{43}=&#39;; base-uri &#39;none&#39;; form-action &#39;none&#39;">/,
    );
  });

  it('shows what a console could not', () => {
    const html = htmlOf({
      verdict: 'passes',
      targets: [targetOf({ boot: bootOf({ console: '\u001b[2Jone\r\n\u0000two\u202e\r\n</pre><b>three' }) })],
    });

    expect(html).toContain('<pre>one\n\ufffdtwo\ufffd\n&#60;/pre&#62;&#60;b&#62;three</pre>');
  });
});

describe('verifyHtml() of a lot', () => {
  it('shows 5,000 symbols of a module in less than half a megabyte', () => {
    const html = htmlOf({
      verdict: 'passes',
      targets: [targetOf({ modules: [moduleOf('big', { symbols: symbolsOf(5000) })] })],
    });

    expect(html).toContain('kmalloc_fixture_4995');
    expect(html).toContain('5,000 symbols of big');
    expect(html.length).toBeLessThan(500_000);
  });

  it('stays below 10 MB whatever there is to show, and says that something was left out', () => {
    const text = '<'.repeat(3000);
    const details = Array.from({ length: 300 }, (_, index) => ({ subject: `s${index}`, message: text }));
    const check = { status: 'fail', message: text, wanted: text, found: text, hint: text, details } as const;
    const module = moduleOf(text, {
      verdict: 'fails',
      checks: checksOf().map(({ id }) => ({ id, ...check })),
      symbols: symbolsOf(300).map((use) => ({ ...use, status: 'crc-changed', symbol: text })),
      dependencies: Array.from({ length: 300 }, (_, index) => `${index}${text}`),
    });
    const target = targetOf({
      verdict: 'fails',
      modules: Array.from({ length: 60 }, () => module),
      boot: bootOf({ console: text.repeat(300), kernelLog: Array.from({ length: 300 }, () => text) }),
    });
    const html = htmlOf({ verdict: 'fails', targets: Array.from({ length: 60 }, () => target) });

    expect(Buffer.byteLength(html)).toBeLessThan(10_000_000);
    expect(html).toContain('more, which are in the report as JSON');
    expect(html).toContain('All 60 targets fail');
  });

  it('names every target of 400, and every module that fails of 4,000', () => {
    const modules = Array.from({ length: 4000 }, (_, index) =>
      moduleOf(`m${index}`, index % 100 === 99 ? { verdict: 'fails' } : {}),
    );
    const one = htmlOf({ verdict: 'fails', targets: [targetOf({ verdict: 'fails', modules })] });
    const many = htmlOf({
      verdict: 'passes',
      targets: Array.from({ length: 400 }, (_, index) => targetOf({ release: `4.18.${index}` })),
    });

    for (let index = 99; index < 4000; index += 100)
      expect(one).toContain(`m${index} <span class="mark fail">`);
    expect(many).toContain('4.18.399 x86_64');
    expect(Math.max(one.length, many.length)).toBeLessThan(10_000_000);
  });
});
