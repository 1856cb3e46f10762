// What is counted in this isolate, by the worker and by the objects of regions that happen to run in it: all of them in the local cloud, none or
// some in a data centre. Nothing decides by it; it is told at /internal/v1/status.
import { createCounters } from '../shared/runtime/counters.ts';

export const isolateCounters = createCounters();
