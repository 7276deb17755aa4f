import { connect, createServer, type Socket } from 'node:net';

/**
 * A TCP proxy that makes a connection feel far away: each direction is late by half the round trip, and opening costs
 * one round trip.
 *
 * Arguments: port to listen on, host and port to go to, round trip in milliseconds. Runs until it is killed.
 */
const [listenPort, targetHost, targetPort, rttMs] = process.argv.slice(2);
const oneWayMs = Number(rttMs) / 2;

function pipeLate(from: Socket, to: Socket): void {
  from.on('data', (chunk) => setTimeout(() => to.write(chunk), oneWayMs));
  from.on('end', () => setTimeout(() => to.end(), oneWayMs));
  from.on('error', () => to.destroy());
}

createServer({ allowHalfOpen: true }, (client) => {
  client.pause();
  setTimeout(() => {
    const server = connect({ host: targetHost, port: Number(targetPort), allowHalfOpen: true });
    client.setNoDelay(true);
    server.setNoDelay(true);
    pipeLate(client, server);
    pipeLate(server, client);
    client.resume();
  }, Number(rttMs));
}).listen(Number(listenPort), '127.0.0.1');
