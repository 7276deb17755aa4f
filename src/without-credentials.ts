/** Text whose URLs have lost their user names and passwords: what may be shown, logged or recorded. */
export function withoutCredentials(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]*:\/\/)[^/\s@]*@/gi, '$1***@');
}

/** A URL without what may be a secret in it: user, password, query and fragment. */
export function withoutQuery(url: string): string {
  return withoutCredentials(url).replace(/[?#].*$/s, '');
}
