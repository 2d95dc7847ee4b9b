// The service with a model that answers at once, in a process of its own: prints its port, and ends with its parent's channel.
import { startInstantApp } from "../cached/instant-app.mjs";

const { port, close } = await startInstantApp(process.argv[2]);
process.send({ port });
process.on("disconnect", close);
