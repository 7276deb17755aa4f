import { createHash } from 'node:crypto';
import { SignError } from '../errors.ts';
import { makeAuthenticatedUpdate } from '../sign/authenticated-update.ts';
import type { Certificate } from '../sign/certificate.ts';
import { EFI_GUIDS, type EfiGuid, writeEfiSignatureLists } from '../sign/efi-signature-list.ts';
import { toPem } from '../sign/pem.ts';
import type { Signer } from '../sign/signer.ts';
import { THROW_AWAY_NAME } from '../sign/throw-away-key.ts';
import { makeNodeState } from './node-state.ts';
import { toYaml } from './yaml.ts';

export interface EnrolmentRequest {
  readonly certificate: Certificate;
  /** Who is said to have enrolled it. */
  readonly owner: EfiGuid;
  /** Who signs the update of `db`; undefined: there is none. */
  readonly kek: Signer | undefined;
  /** When the update is said to have been made. */
  readonly time: Date;
  /** Image of the pods that show the state of nodes; that of the release when absent. */
  readonly nodeStateImage?: string | undefined;
}

/** A file of the hand-out. */
export interface EnrolmentFile {
  readonly name: string;
  readonly bytes: Buffer;
}

/**
 * What the owners of machines need to make them trust a certificate: the certificate in the forms that `mokutil`, UEFI
 * and Redfish take, and what to do with each.
 *
 * @throws {SignError} `THROW_AWAY_KEY` for the certificate of a key that was thrown away, and as
 *   `makeAuthenticatedUpdate` does.
 */
export async function makeEnrolment(request: EnrolmentRequest): Promise<readonly EnrolmentFile[]> {
  const { certificate, owner, kek, time, nodeStateImage } = request;
  if (certificate.subjectCommonName === THROW_AWAY_NAME) {
    throw new SignError('THROW_AWAY_KEY', 'Cannot enrol a certificate whose key was thrown away', {
      hint: 'It is for tests; sign with a key that you keep, and enrol its certificate.',
    });
  }
  const list = writeEfiSignatureLists([{ type: EFI_GUIDS.certX509, owner, data: certificate.der }]);
  const update =
    kek === undefined
      ? undefined
      : await makeAuthenticatedUpdate(
          { variable: 'db', namespace: EFI_GUIDS.imageSecurityDatabase, data: list, time },
          kek,
        );
  const redfish = {
    CertificateString: toPem('CERTIFICATE', certificate.der).toString(),
    CertificateType: 'PEM',
    UefiSignatureOwner: owner,
  };
  return [
    { name: 'README.txt', bytes: Buffer.from(readme(request)) },
    { name: 'certificate.der', bytes: certificate.der },
    { name: 'certificate.pem', bytes: toPem('CERTIFICATE', certificate.der) },
    { name: 'db.esl', bytes: list },
    ...(update === undefined ? [] : [{ name: 'db-append.auth', bytes: update }]),
    { name: 'node-state.yaml', bytes: Buffer.from(toYaml(makeNodeState(certificate, nodeStateImage))) },
    { name: 'redfish-db.json', bytes: Buffer.from(`${JSON.stringify(redfish, null, 2)}\n`) },
  ];
}

function readme({ certificate, kek }: EnrolmentRequest): string {
  const fingerprint = createHash('sha256')
    .update(certificate.der)
    .digest('hex')
    .toUpperCase()
    .replaceAll(/..(?=.)/g, '$&:');
  const day = (date: Date): string => date.toISOString().slice(0, 10);
  const update =
    kek === undefined
      ? `   db.esl is the list to add. The owner of the KEK signs it, for instance:
     sign-efi-sig-list -a -k KEK.key -c KEK.pem db db.esl db-append.auth`
      : `   db-append.auth adds the certificate and takes nothing away. It is signed for firmware whose KEK is:
     ${kek.certificate.subjectCommonName ?? 'a certificate without a name'}`;
  return `Modules are signed with the key of this certificate. Machines with Secure Boot load them once they trust it.

  subject      ${certificate.subjectCommonName ?? '(no common name)'}
  valid        ${day(certificate.validFrom)} to ${day(certificate.validTo)}
  SHA-256      ${fingerprint}

Compare the fingerprint with the one that you were told on another way before you enrol it:

  openssl x509 -inform DER -in certificate.der -noout -subject -dates -fingerprint -sha256

One of these is enough for a machine.

1. The machine owner key (MOK), on each machine, with somebody at its console:

     mokutil --import certificate.der      # asks for a password
     systemctl reboot                      # then: Enroll MOK, Continue, Yes, the password

   Afterwards: mokutil --test-key certificate.der

2. The signature database of the firmware (db), from the running system, where the KEK is yours:

${update}
     chattr -i /sys/firmware/efi/efivars/db-d719b2cb-3d3a-4596-a3bc-dad00e67656f
     efi-updatevar -a -f db-append.auth db
     systemctl reboot                      # the kernel reads db when it starts

   Linux guards the variable until chattr takes the guard away; the firmware takes the update only with a signature by the KEK.

   In Setup Mode, firmware takes it without a signature: efi-updatevar -a -e -f db.esl db

3. The same over the network, by the management controller (Redfish), for the next boot:

     curl -u USER -H 'Content-Type: application/json' -d @redfish-db.json \\
       https://BMC/redfish/v1/Systems/SYSTEM/SecureBoot/SecureBootDatabases/db/Certificates

Afterwards, on the machine:

  mokutil --sb-state
  keyctl list %:.platform                  # certificates of db
  keyctl list %:.machine                   # machine owner keys

On a cluster, which nodes trust the certificate, and what keeps the others from it:

  oc apply -f node-state.yaml
  oc get pods -n kmodlayer-enrolment -o wide     # ready: the node trusts it
  oc logs -n kmodlayer-enrolment POD             # Secure Boot, lockdown, db, MOK
  oc rollout status -n kmodlayer-enrolment daemonset/enrolment-state    # ends when all nodes do
  oc delete namespace kmodlayer-enrolment

To take the certificate away again: mokutil --delete certificate.der, or delete it from db in the firmware's setup.
`;
}
