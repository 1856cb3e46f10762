// The grammar of Earshot-Deadline-Ms, the remaining time of a caller, for every reader of the header.

export const DEADLINE_PATTERN = /^\d{1,6}$/;
export const DEADLINE_GRAMMAR = 'a whole number of milliseconds, of up to 6 digits';
