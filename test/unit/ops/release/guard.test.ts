// The guard of a canary: quiet on chance, bad on a difference that few users prove, undecided without users.
import { describe, expect, test } from 'vitest';
import { compareCohorts } from '../../../../ops/release/guard.ts';
import { addValue, type CohortSums, emptyCohort } from '../../../../shared/domain/cohort.ts';

function cohortOf(users: number, change: Partial<CohortSums> = {}, items = 10): CohortSums {
  const cohort = { ...emptyCohort(), users };
  for (let i = 0; i < users; i++) {
    addValue(cohort.items, items + (i % 3));
    addValue(cohort.bytes, 1_000 + (i % 50));
    addValue(cohort.latencyMs, 20 + (i % 7));
  }
  return { ...cohort, ...change };
}

const verdictOf = (canary: CohortSums, control: CohortSums) => compareCohorts({ canary, control }).verdict;

describe('with users enough', () => {
  test.each<[string, CohortSums, string]>([
    ['equal cohorts', cohortOf(1_000), 'good'],
    ['as many absences as by chance', cohortOf(1_000, { absent: 12 }), 'good'],
    ['one in five absent', cohortOf(1_000, { absent: 200 }), 'bad'],
    ['one in ten on older lists', cohortOf(1_000, { older: 100 }), 'bad'],
    ['reads that fail', cohortOf(1_000, { errors: 60 }), 'bad'],
    ['half of the items', cohortOf(1_000, {}, 5), 'bad'],
  ])('%s', (_case, canary, verdict) => expect(verdictOf(canary, cohortOf(1_000, { absent: 8 }))).toBe(verdict));
});

describe('with few users', () => {
  test.each<[string, CohortSums, CohortSums, string]>([
    ['all absent', cohortOf(299, { absent: 299 }), cohortOf(299), 'bad'],
    ['only errors, and no user who counts', cohortOf(0, { errors: 5_000 }), cohortOf(400), 'bad'],
    ['one error', cohortOf(0, { errors: 1 }), cohortOf(400), 'few'],
    ['errors without a control cohort', cohortOf(0, { errors: 5_000 }), cohortOf(0), 'few'],
    ['no user', cohortOf(0), cohortOf(0), 'few'],
    ['other means, which few users do not prove', cohortOf(60, {}, 30), cohortOf(60), 'few'],
    ['equal cohorts', cohortOf(200), cohortOf(200), 'few'],
  ])('%s', (_case, canary, control, verdict) => expect(verdictOf(canary, control)).toBe(verdict));
});
