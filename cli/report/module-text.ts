import type { ModuleInspection } from '../../src/sign/inspect-module.ts';
import { signatureData, signerText } from './signature-text.ts';
import { formatFields } from './table.ts';

/** A module as programs see it: `null` for what it does not say. */
export function moduleData(
  file: string,
  { compression, sizeBytes, module, description, signature, signatureProblem }: ModuleInspection,
): Readonly<Record<string, unknown>> {
  return {
    file,
    compression,
    sizeBytes,
    name: description.name ?? null,
    version: description.version ?? null,
    arch: description.arch ?? null,
    kernelRelease: description.kernelRelease ?? null,
    vermagic: description.vermagic ?? null,
    license: description.license ?? null,
    description: description.description ?? null,
    authors: description.authors,
    sourceVersion: description.sourceVersion ?? null,
    isInTree: description.isInTree,
    depends: description.depends,
    softdeps: description.softdeps,
    aliases: description.aliases,
    firmware: description.firmware,
    importNamespaces: description.importNamespaces,
    parameters: description.parameters.map(({ name, type, description: text }) => ({
      name,
      type: type ?? null,
      description: text ?? null,
    })),
    signature: signatureData(signature),
    signatureProblem: signatureProblem ?? null,
    imports: module.imports.map(({ symbol, isWeak, crc }) => ({ symbol, isWeak, crc: hex(crc) })),
    exports: module.exports.map(({ symbol, crc, isGplOnly, namespace }) => ({
      symbol,
      crc: hex(crc),
      isGplOnly,
      namespace: namespace ?? null,
    })),
  };
}

/** A module as people see it. */
export function moduleText(file: string, inspection: ModuleInspection): string {
  const { description, module, signature, signatureProblem } = inspection;
  const signer =
    signatureProblem ??
    signature?.signers.map((one) => `${signerText(one)} (${one.hash})`).join(', ') ??
    'unsigned';
  const fields: readonly (readonly [string, string | undefined])[] = [
    ['file', file],
    ['name', description.name],
    ['version', description.version],
    ['kernel', description.kernelRelease],
    ['architecture', description.arch],
    ['vermagic', description.vermagic?.trimEnd()],
    ['license', description.license],
    ['depends', description.depends.join(', ')],
    ['firmware', description.firmware.join(', ')],
    ['parameters', description.parameters.map(({ name }) => name).join(', ')],
    ['signature', signer],
    ['compression', inspection.compression],
    ['size', `${inspection.sizeBytes} bytes`],
    ['imports', countOf(module.imports)],
    ['exports', countOf(module.exports)],
    ['aliases', String(description.aliases.length)],
  ];
  return formatFields(
    fields.flatMap(([name, value]) => (value === undefined || value === '' ? [] : [[name, value] as const])),
  );
}

function countOf(symbols: readonly { readonly crc: number | undefined }[]): string {
  const withCrc = symbols.filter(({ crc }) => crc !== undefined).length;
  return `${symbols.length} symbols, ${withCrc} with CRC`;
}

function hex(crc: number | undefined): string | null {
  return crc === undefined ? null : `0x${crc.toString(16).padStart(8, '0')}`;
}
