import { type Draft, reporterOf } from '../finding.ts';
import type { ManifestSet } from '../rule.ts';
import { kmmHazards } from './hazards/kmm-hazards.ts';
import { pullHazards } from './hazards/pull-hazards.ts';
import { firstBootHazards, rebootHazards } from './hazards/reboot-hazards.ts';
import { scriptHazards } from './hazards/script-hazards.ts';
import { servicesOf } from './hazards/service.ts';
import { startHazards } from './hazards/start-hazards.ts';

const PULLS = /\b(?:podman|skopeo|crictl|buildah|docker)\b[^\n;|&]*\b(?:pull|pull-image|run|create|copy)\b/;
const LOADS = /\b(?:modprobe|insmod|rmmod)\b|\bkmod (?:load|insert)\b/;

/** Rules on services that pull images, load modules or reboot, and on the scripts that they run. */
export function hazardRules({ machineConfigs }: ManifestSet, drafts: Draft[]): void {
  for (const config of machineConfigs) {
    if (config.origin !== 'user') continue;
    const report = reporterOf(config.manifest, drafts);
    const services = servicesOf(config);
    for (const service of services) {
      startHazards(service, report);
      rebootHazards(service, report);
      if (PULLS.test(service.code) || LOADS.test(service.code)) firstBootHazards(service, report);
      if (PULLS.test(service.code)) pullHazards(service, config, report);
    }
    for (const script of new Map(
      services.flatMap(({ scripts }) => scripts).map((one) => [one.entry.path, one]),
    ).values())
      scriptHazards(script, report);
    kmmHazards(config, services, report);
  }
}
