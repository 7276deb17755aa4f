/** A spec with pools of its own, and drivers for Day 1, one of them with firmware. */
export const SPEC = `apiVersion: kmodlayer/v1
kind: DriverSet
metadata: { name: nic }
targets: { releases: [4.18.4] }
drivers:
  - name: ice
    version: '1'
    source: { files: [gnss.ko, ice.ko] }
    modules:
      - { name: gnss }
      - { name: ice, replaces: [ice, irdma], parameters: { debug: '1' } }
    firmware: ./ddp
  - { name: b, version: '1', source: { files: [b.ko] }, modules: [{ name: b }] }
publish: { osImage: quay.example.com/acme/rhcos-nic, kmodImage: quay.example.com/acme/nic-kmod }
rollout: { pools: [worker, worker-rt], day1: [ice] }
`;
