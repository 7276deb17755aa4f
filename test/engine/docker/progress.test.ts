import { describe, expect, it } from 'vitest';
import { makeProgress } from '../../../src/engine/docker/progress.ts';
import { readProtobuf, writeProtobuf } from '../../../src/engine/docker/protobuf.ts';

// What Docker 20.10 answered: a step that begins, and the second line that it printed.
const BEGINS =
  '{"id":"moby.buildkit.trace","aux":"CnYKR3NoYTI1Njo3MWRlMTQ0MjAwZTIxOTRkZWM5OTY0ZjRkMjlkYTM3YWNjZDY2ZjQ3MTc0NGZhN2Y4M2Q0ODRkNTQ2OTA3ZDQ2Gh1bb25lIDEvM10gRlJPTSBsb2NhbGhvc3QvYmI6MSoMCODvqtgGEKy07sMC"}';
const PRINTS =
  '{"id":"moby.buildkit.trace","aux":"Gl0KR3NoYTI1Njo5MjBkN2U3NTYzYzdmOTdjYTVhYzY1NzY5Nzg0MzY3Njk4MTE2ZDIxMjMwODE4Y2U5YjIwOGQ4MmYxMDJlMzU1EgsI4e+q2AYQ/I7aUhgBIgNoaQo="}';

function read(text: string): { readonly lines: readonly string[]; readonly failure: string | undefined } {
  const lines: string[] = [];
  const progress = makeProgress((line) => lines.push(line));
  for (const byte of Buffer.from(text)) progress.write(Uint8Array.of(byte));
  return { failure: progress.end(), lines };
}

describe('makeProgress()', () => {
  it('reads steps and output of BuildKit, each step once', () => {
    expect(read(`${BEGINS}\r\n${PRINTS}\n\n${BEGINS}\n`)).toEqual({
      lines: ['[one 1/3] FROM localhost/bb:1', 'hi'],
      failure: undefined,
    });
  });

  it('reads output of podman and the classic builder, and what failed', () => {
    const text =
      '{"stream":"STEP 1/2: FROM x\\nä"}\n{"stream":"b\\n"}\n{"errorDetail":{"message":"it broke\\n"},"error":"it broke"}';

    expect(read(text)).toEqual({ lines: ['STEP 1/2: FROM x', 'äb'], failure: 'it broke' });
  });

  it('shows nothing of what it cannot read', () => {
    expect(read('<html>\n{"id":"moby.buildkit.trace","aux":"////"}\nnull\n')).toEqual({
      lines: [],
      failure: undefined,
    });
  });
});

describe('readProtobuf()', () => {
  it.each([0, 1, 127, 128, 300, 70_000])('reads back %i bytes', (length) => {
    const bytes = Buffer.alloc(length, 7);

    expect(readProtobuf(writeProtobuf(3, bytes))).toEqual([{ number: 3, bytes, value: 0 }]);
  });

  it('reads numbers, skips fixed fields, and stops where a message breaks off', () => {
    const message = Uint8Array.from([0x08, 0xac, 0x02, 0x0d, 1, 2, 3, 4, 0x12, 0x05, 1]);

    expect(readProtobuf(message).map(({ number, value }) => [number, value])).toEqual([
      [1, 300],
      [1, 0],
    ]);
  });
});
