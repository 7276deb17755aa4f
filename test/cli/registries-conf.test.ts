import { parse } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { formatRegistriesConf } from '../../cli/io/registries-conf.ts';
import { parseMirrorSets } from '../../src/registry/mirror-sets.ts';

describe('formatRegistriesConf()', () => {
  it('says to the container engine what mirror sets say', () => {
    const rules = parseMirrorSets(
      `
apiVersion: config.openshift.io/v1
kind: ImageDigestMirrorSet
metadata: { name: release }
spec:
  imageDigestMirrors:
    - source: quay.io/openshift-release-dev/ocp-v4.0-art-dev
      mirrors: [mirror.example.com:8443/release]
      mirrorSourcePolicy: NeverContactSource
    - source: '*.example.org'
      mirrors: [mirror.example.com:8443/others]
`,
      'idms.yaml',
    );

    const conf = parse(formatRegistriesConf(rules));

    expect(conf).toEqual({
      registry: [
        {
          prefix: 'quay.io/openshift-release-dev/ocp-v4.0-art-dev',
          location: 'quay.io/openshift-release-dev/ocp-v4.0-art-dev',
          blocked: true,
          mirror: [{ location: 'mirror.example.com:8443/release', 'pull-from-mirror': 'digest-only' }],
        },
        {
          prefix: '*.example.org',
          mirror: [{ location: 'mirror.example.com:8443/others', 'pull-from-mirror': 'digest-only' }],
        },
      ],
    });
  });
});
