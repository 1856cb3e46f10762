// Main module of the tests: the deployed worker and the harnesses' region objects.
export { default, RegionCache } from '../../../edge/worker.ts';
export { HarnessRegionCache } from './harness-region-cache.ts';
