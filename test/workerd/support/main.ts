// The module that tests run as: the worker as it is deployed, and beside it the region's objects of harnesses.
export { default, RegionCache } from '../../../edge/worker.ts';
export { HarnessRegionCache } from './harness-region-cache.ts';
