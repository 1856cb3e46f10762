// The variant of an answer, and why the user has it: a structured field (RFC 9651), an item with parameters.
import type { Assignment } from '../../shared/domain/experiments/assign.ts';

export const VARIANT_HEADER = 'Earshot-Variant';

/** `knn;experiment=ranking;by=bucket` */
export const serializeAssignment = ({ variant, experiment, reason }: Assignment): string =>
  `${variant.name};experiment=${experiment};by=${reason}`;
