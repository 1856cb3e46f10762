// Which hosts are this machine: a secret of tests and plain HTTP are allowed there alone.
/** Whether only this machine can reach `host`, a name or an address, as it stands in a configuration or a URL. */
export const isLoopback = (host: string): boolean => /^(localhost|127\.[\d.]+|::1|\[::1\])$/.test(host);
