/** Who we are for a registry. */
export interface Credential {
  readonly user: string;
  readonly password: string;
  /** A token to be exchanged for others, instead of a password. */
  readonly identityToken: string | undefined;
  /** Where it was found, for messages: a file, or a helper. Never the secret. */
  readonly source: string;
}
