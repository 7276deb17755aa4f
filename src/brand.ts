declare const brand: unique symbol;

/** A `Base` that only its own parse function can make, so that no raw string reaches a URL, a shell or a file. */
export type Brand<Base, Name extends string> = Base & { readonly [brand]: Name };
