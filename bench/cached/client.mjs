// A load client in a process of its own: keep-alive connections over raw sockets, one request at a time on each, answers
// read only as far as their length. It takes jobs by IPC and answers counts, latencies and its own CPU time, which tells
// whether it was the bottleneck.
import { connect } from "node:net";

process.on("message", async (job) => process.send(await load(job)));

/** Posts the bodies in turn for `durationMs` on each of `connections`. */
async function load({ port, path, bodies, connections, durationMs }) {
  const requests = bodies.map((body) => requestBytes(path, body));
  const latenciesMs = [];
  const statuses = {};
  let next = 0;
  const cpuStart = process.cpuUsage();
  const startedAtMs = performance.now();
  const endsAtMs = startedAtMs + durationMs;
  await Promise.all(
    Array.from({ length: connections }, () =>
      converse(port, () => (performance.now() < endsAtMs ? requests[next++ % requests.length] : null), {
        answered(status, latencyMs) {
          statuses[status] = (statuses[status] ?? 0) + 1;
          latenciesMs.push(latencyMs);
        },
      }),
    ),
  );
  const wallMs = performance.now() - startedAtMs;
  const { user, system } = process.cpuUsage(cpuStart);
  return { requests: latenciesMs.length, statuses, wallMs, latenciesMs, clientCpuMs: (user + system) / 1000 };
}

function requestBytes(path, body) {
  const head = `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n`;
  return Buffer.from(`${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}

/** One connection: sends what `nextRequest` gives until it gives null. */
function converse(port, nextRequest, { answered }) {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1").setNoDelay();
    let sentAtMs = 0;
    let status = 0;
    let missing = -1; // bytes of the answer that are still to come; -1: its head is not read
    let head = "";

    function send() {
      const request = nextRequest();
      if (request === null) {
        socket.end();
        resolve();
        return;
      }
      missing = -1;
      head = "";
      sentAtMs = performance.now();
      socket.write(request);
    }

    socket.on("connect", send);
    socket.on("error", reject);
    socket.on("data", (chunk) => {
      if (missing === -1) {
        head += chunk.latin1Slice(0, Math.min(chunk.length, 2000));
        const end = head.indexOf("\r\n\r\n");
        if (end === -1) return;
        status = Number(head.slice(9, 12));
        missing = end + 4 + Number(/content-length: (\d+)/i.exec(head)[1]) - chunk.length;
      } else missing -= chunk.length;
      if (missing > 0) return;
      answered(status, performance.now() - sentAtMs);
      send();
    });
  });
}
