import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** Files of a certificate authority of our own and of a certificate by it for this machine, by name and by address. */
export interface Certificates {
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

export function makeCertificates(folder: string): Certificates {
  const file = (name: string): string => join(folder, name);
  const openssl = (...args: string[]): void => {
    execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
  };
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  openssl(
    ...["req", "-x509", "-days", "2", "-subj", "/CN=test authority", ...newKey],
    ...["-keyout", "ca.key", "-out", "ca.crt"],
  );
  openssl("req", "-subj", "/CN=redis", ...newKey, "-keyout", "redis.key", "-out", "redis.csr");
  writeFileSync(file("names"), "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\n");
  openssl(
    ...["x509", "-req", "-days", "2", "-in", "redis.csr", "-extfile", "names", "-out", "redis.crt"],
    ...["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"],
  );
  return { authority: file("ca.crt"), certificate: file("redis.crt"), key: file("redis.key") };
}

/** Arguments of a redis-server that speaks TLS on this port. */
export function tlsArguments(port: number, { authority, certificate, key }: Certificates): string[] {
  return [
    ...["--tls-port", String(port), "--tls-auth-clients", "no"],
    ...["--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", authority],
  ];
}
