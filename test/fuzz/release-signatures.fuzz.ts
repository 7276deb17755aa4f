import { readFileSync } from 'node:fs';
import { parseDigest } from '../../src/oci/digest.ts';
import { readKeyring } from '../../src/resolve/openpgp/keyring.ts';
import { verifyReleaseSignature } from '../../src/resolve/signatures/release-signature.ts';
import {
  parseSignatureMaps,
  parseVerificationPolicy,
} from '../../src/resolve/signatures/verification-policy.ts';
import { fuzz } from './fuzz.ts';

const signature = readFileSync('fixtures/releases/signature-4.15.0-x86_64');
const digest = '0da6316466d60a3a4535d5fed3589feb0391989982fba59d47d4c729912d6363';
const policyBytes = readFileSync('fixtures/releases/release-verification-openshift.yaml');
const policy = parseVerificationPolicy(policyBytes, 'policy');
const armored = Buffer.from(
  /-----BEGIN PGP[\s\S]*?-----END PGP PUBLIC KEY BLOCK-----/
    .exec(policyBytes.toString('utf8'))?.[0]
    .replaceAll(/^ +/gm, '') ?? '',
);
const signatureMap = Buffer.from(
  `kind: ConfigMap\nbinaryData:\n  sha256-${digest}-1: ${signature.toString('base64')}\n`,
);

fuzz([
  {
    name: 'signatures of releases',
    seeds: [signature],
    parse: (bytes) => verifyReleaseSignature([bytes], parseDigest(`sha256:${digest}`), policy, new Date(0)),
  },
  { name: 'OpenPGP keyrings', seeds: [armored], parse: (bytes) => readKeyring(bytes) },
  {
    name: 'ConfigMaps with keys',
    seeds: [policyBytes],
    parse: (bytes) => parseVerificationPolicy(bytes, 'f'),
  },
  {
    name: 'ConfigMaps with signatures',
    seeds: [signatureMap],
    parse: (bytes) => parseSignatureMaps(bytes, 'f'),
  },
]);
