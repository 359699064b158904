import http from 'node:http';

// The anchor: the least a Node process can do between a client and an engine. Passes bytes on, stores nothing.
// Arguments: the engine's port. Prints {"port":N}; the end of stdin ends it.

const agent = new http.Agent({ keepAlive: true, maxSockets: Infinity });
const upstreamPort = Number(process.argv[2]);

function pass(request, response) {
  const { method, url: path, headers } = request;
  const forward = http.request({ agent, host: '127.0.0.1', port: upstreamPort, method, path, headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  forward.setNoDelay(true);
  forward.on('error', () => response.destroy());
  response.on('close', () => forward.destroy());
  request.pipe(forward);
}

process.stdin.resume().on('end', () => process.exit(0));
const server = http.createServer({ noDelay: true }, pass);
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  process.stdout.write(`${JSON.stringify({ port: server.address().port })}\n`);
});
