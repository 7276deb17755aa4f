import { TestRegistry } from '../../support/test-registry.ts';
import { makeImages } from '../../../src/registry/images.ts';
import { parseReference } from '../../../src/oci/reference.ts';
import { registryContract } from '../../contract/registry.ts';

const env = { HOME: '/nonexistent' };

registryContract(
  'a registry over HTTP',
  async () => {
    const registry = await new TestRegistry().listen();
    return {
      images: makeImages({ env, insecureRegistries: [registry.host] }),
      referenceOf: (name) => parseReference(`${registry.host}/${name}`),
      close: () => registry.close(),
    };
  },
  { canMount: true, checksBlobs: true },
);
