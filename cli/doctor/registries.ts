import { resolve } from 'node:path';
import { makeCredentials } from '../../src/registry/credentials.ts';
import { secureContextFor } from '../../src/registry/http/certificates.ts';
import { proxyFor } from '../../src/registry/http/proxy.ts';
import { failed, type CheckOptions, type CheckResult } from './check.ts';

/** Where the images that releases are made of are. They cannot be read without an account. */
const RELEASE_CONTENT = 'quay.io/openshift-release-dev/ocp-v4.0-art-dev';

const PULL_SECRET_HINT =
  'Get a pull secret from https://console.redhat.com/openshift/install/pull-secret and give it with --authfile.';

/** Credentials, proxy and CAs for each registry. Asks nobody: what is found may still be refused. */
export async function checkRegistries(options: CheckOptions): Promise<readonly CheckResult[]> {
  const names = options.registries.length === 0 ? [RELEASE_CONTENT] : options.registries;
  const results = await Promise.all(names.map((name) => checkRegistry(name, options)));
  return results.flat();
}

async function checkRegistry(name: string, options: CheckOptions): Promise<readonly CheckResult[]> {
  const slash = name.indexOf('/');
  const host = slash < 0 ? name : name.slice(0, slash);
  const repository = slash < 0 ? '' : name.slice(slash + 1);
  return [
    await checkCredentials(name, { host, repository }, options),
    checkProxy(host, options),
    await checkCertificates(host, options),
  ];
}

async function checkCredentials(
  registry: string,
  { host, repository }: { readonly host: string; readonly repository: string },
  { context, flags }: CheckOptions,
): Promise<CheckResult> {
  const name = `credentials for ${registry}`;
  const authFile = flags.authfile === undefined ? undefined : resolve(context.cwd, flags.authfile);
  try {
    const credentials = makeCredentials({ authFile, env: context.env, signal: context.signal });
    const found = await credentials.find(host, repository);
    if (found !== undefined) return { name, status: 'ok', detail: `found in ${found.source}` };
    const isReleaseContent = registry === RELEASE_CONTENT;
    return {
      name,
      status: 'warning',
      detail: 'none found',
      hint: isReleaseContent ? PULL_SECRET_HINT : `Run "podman login ${host}", or give --authfile.`,
    };
  } catch (error) {
    return failed(name, error);
  }
}

function checkProxy(host: string, { context }: CheckOptions): CheckResult {
  const name = `proxy for ${host}`;
  if (!URL.canParse(`https://${host}/`)) {
    return { name, status: 'error', detail: 'not a host', hint: 'Write HOST, HOST:PORT or HOST/REPOSITORY.' };
  }
  const proxy = proxyFor(new URL(`https://${host}/`), context.env);
  return { name, status: 'ok', detail: proxy === undefined ? 'none' : proxy.url.href };
}

async function checkCertificates(host: string, { context, flags }: CheckOptions): Promise<CheckResult> {
  const name = `certificates for ${host}`;
  const inCwd = (path: string): string => resolve(context.cwd, path);
  const caFiles = (flags.caFile ?? []).map(inCwd);
  const certDirs = (flags.certDir ?? []).map(inCwd);
  if (flags.insecureRegistry?.includes(host) === true) {
    return { name, status: 'warning', detail: 'not checked', hint: 'Give its CA with --ca-file instead.' };
  }
  try {
    await secureContextFor(host, { caFiles, certDirs, env: context.env });
    const given = [...caFiles, ...certDirs];
    return {
      name,
      status: 'ok',
      detail: given.length === 0 ? 'those of the machine' : `those of the machine, ${given.join(', ')}`,
    };
  } catch (error) {
    return failed(name, error);
  }
}
