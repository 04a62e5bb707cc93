// The limit of what node:http can answer: a constant, in a process of its own. `node bench/bare.ts PORT`; told its size by its parent.
import { createServer } from "node:http";

let answer = Buffer.alloc(16, "x");

const server = createServer((request, response) => {
  request.resume().on("end", () => {
    response.writeHead(200, { "content-length": answer.length });
    response.end(answer);
  });
});
server.listen(Number(process.argv[2]), "127.0.0.1", () => process.send?.("ready"));
process.on("message", (bytes: number) => {
  answer = Buffer.alloc(bytes, "x");
  process.send!("ready");
});
process.once("disconnect", () => process.exit());
