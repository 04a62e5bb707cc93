// The limit of what node:http can answer, in a process of its own: a constant, or a file. `node bench/bare.ts PORT`; told which by its parent.
import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";

let answer = Buffer.alloc(16, "x");
let file: string | undefined;

const server = createServer((request, response) => {
  request.resume().on("end", () => {
    if (file !== undefined) {
      response.writeHead(200, { "content-length": statSync(file).size });
      return createReadStream(file).pipe(response);
    }
    response.writeHead(200, { "content-length": answer.length });
    response.end(answer);
  });
});
server.listen(Number(process.argv[2]), "127.0.0.1", () => process.send?.("ready"));
process.on("message", (of: number | string) => {
  file = typeof of === "string" ? of : undefined;
  if (typeof of === "number") answer = Buffer.alloc(of, "x");
  process.send!("ready");
});
process.once("disconnect", () => process.exit());
