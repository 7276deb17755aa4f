/** Version of this package. Made from package.json by `npm test -- -u`. */
export const VERSION = '0.1.0';
