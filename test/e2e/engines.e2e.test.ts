import { afterAll, beforeAll } from 'vitest';
import { engineContract, type Results } from '../contract/engine.ts';
import { startDocker, startPodmanApi, startProgram } from '../support/engines.ts';
import { startWorldRegistry, type WorldRegistry } from '../support/world.ts';

let registry: WorldRegistry;

beforeAll(async () => {
  registry = await startWorldRegistry();
});

afterAll(async () => {
  await registry.stop();
});

const results: Results = new Map();

engineContract('podman', () => startProgram('podman', registry), results);
engineContract('buildah', () => startProgram('buildah', registry), results);
engineContract('docker', () => startDocker(registry), results);
engineContract('the API of podman', () => startPodmanApi(registry), results);
