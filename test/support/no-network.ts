/** Unit tests reach nothing: a stray request fails here instead of leaving the machine. */
globalThis.fetch = () => Promise.reject(new Error('A unit test tried to use the network'));
