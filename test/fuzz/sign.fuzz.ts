import { createPublicKey } from 'node:crypto';
import { parseCertificate } from '../../src/sign/certificate.ts';
import { parseSignedData } from '../../src/sign/cms.ts';
import { readAnswer } from '../../src/sign/command-signer.ts';
import { readDer, readDerChildren, type DerElement } from '../../src/sign/der.ts';
import { describeSignature } from '../../src/sign/describe-signature.ts';
import {
  EFI_GUIDS,
  parseEfiSignatureLists,
  writeEfiSignatureLists,
} from '../../src/sign/efi-signature-list.ts';
import { splitSignature } from '../../src/sign/module-signature.ts';
import { parseTokenKeys, parseTokenSlots } from '../../src/sign/pkcs11-tool.ts';
import { verifyModuleSignature } from '../../src/sign/verify-signature.ts';
import { parsePkcs11Uri } from '../../src/spec/pkcs11-uri.ts';
import { fixture, fuzz } from './fuzz.ts';

const SIGNED = ['sha256', 'sha512', 'ec', 'key-id', 'attributes'].map((kind) =>
  fixture(`modules/kl_provider.${kind}.ko`),
);
const MESSAGES = SIGNED.flatMap((bytes) => splitSignature(bytes).cms ?? []);
/** The module itself is of no interest here: damage goes into the last bytes. */
const TAILS = SIGNED.map((bytes) => bytes.subarray(bytes.length - 1000));
const CERTIFICATES = ['test-only-rsa.pem', 'test-only-ec.pem', 'test-only-tls.pem'].map((name) =>
  parseCertificate(fixture(`modules/${name}`)),
);
const DER = CERTIFICATES.map(({ der }) => der);
const RSA_KEY = createPublicKey(fixture('modules/test-only-rsa.pem'));

fuzz([
  {
    name: 'readDer()',
    seeds: [...DER, ...MESSAGES],
    parse(bytes) {
      const visit = (element: DerElement, depth: number): void => {
        if (depth < 20 && (element.tag & 0x20) !== 0) {
          for (const child of readDerChildren(element)) visit(child, depth + 1);
        }
      };
      visit(readDer(bytes), 0);
    },
  },
  { name: 'parseSignedData()', seeds: MESSAGES, parse: (bytes) => parseSignedData(bytes) },
  {
    name: 'parseCertificate()',
    seeds: [...DER, fixture('modules/test-only-rsa.pem')],
    parse: (bytes) => parseCertificate(bytes),
  },
  { name: 'splitSignature()', seeds: TAILS, parse: (bytes) => splitSignature(bytes) },
  { name: 'describeSignature()', seeds: TAILS, parse: (bytes) => describeSignature(bytes) },
  {
    name: 'verifyModuleSignature()',
    seeds: TAILS,
    parse: (bytes) => verifyModuleSignature(bytes, CERTIFICATES),
  },
  {
    name: 'readAnswer() of an external signer',
    seeds: MESSAGES,
    parse: (bytes) => readAnswer(bytes, RSA_KEY),
  },
  {
    name: 'parseEfiSignatureLists()',
    seeds: [
      writeEfiSignatureLists(
        DER.map((der) => ({ type: EFI_GUIDS.certX509, owner: EFI_GUIDS.globalVariable, data: der })),
      ),
    ],
    parse: (bytes) => parseEfiSignatureLists(bytes),
  },
  {
    name: 'parseTokenSlots(), parseTokenKeys()',
    seeds: [
      Buffer.from('Slot 0 (0x1d4c): SoftHSM slot\n  token label        : lab\n  serial num         : 9f\n'),
      Buffer.from('Private Key Object; RSA\n  label:      modsign\n  ID:         01\n  Usage:      sign\n'),
    ],
    parse: (bytes) => [parseTokenSlots(bytes.toString()), parseTokenKeys(bytes.toString())],
  },
  {
    name: 'parsePkcs11Uri()',
    seeds: [
      Buffer.from('pkcs11:token=lab;object=mod%20sign;id=%01?module-path=/usr/lib/p11.so&pin-source=file:/p'),
    ],
    parse: (bytes) => parsePkcs11Uri(bytes.toString()),
  },
]);
