# The runtime of a python function: `Handler: app.handler`. It speaks HTTP on fd 3, a socket to the Runtime API.
#
# Cold start is what this file is careful about: `http.client` and `socket` cost as much as the interpreter, `site` more than that (it
# runs every .pth file of the host), so none of them is loaded. `logging` and `traceback` are set up when they are first needed.
import json
import os
import sys
import time

API = 3
os.set_inheritable(API, False)
TASK_ROOT = os.environ["LAMBDA_TASK_ROOT"]
HOST = "Host: runtime\r\n"


class Connection:
    def __init__(self, fd):
        self.fd = fd
        self.buffer = b""

    def ask(self, method, path, body=b"", headers=""):
        """-> the answer's headers, lower case, and its body"""
        head = f"{method} /2018-06-01/runtime/{path} HTTP/1.1\r\n{HOST}{headers}Content-Length: {len(body)}\r\n\r\n"
        rest = memoryview(head.encode() + body)
        while rest:
            rest = rest[os.write(self.fd, rest) :]
        return self.answer()

    def answer(self):
        while (end := self.buffer.find(b"\r\n\r\n")) < 0:
            self.more()
        lines = self.buffer[:end].decode().split("\r\n")[1:]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        start, length = end + 4, int(headers.get("content-length", 0))
        parts, have = [self.buffer[start:]], len(self.buffer) - start
        while have < length:
            parts.append(self.read())
            have += len(parts[-1])
        rest = b"".join(parts)
        self.buffer = rest[length:]
        return headers, rest[:length]

    def more(self):
        self.buffer += self.read()

    def read(self):
        part = os.read(self.fd, 1 << 18)
        if not part:
            os._exit(0)  # Lambda is gone.
        return part


class Fault(Exception):
    def __init__(self, kind, message, trace=()):
        super().__init__(message)
        self.kind = kind
        self.trace = list(trace)


class CognitoIdentity:
    __slots__ = ["cognito_identity_id", "cognito_identity_pool_id"]

    def __init__(self, text):
        said = json.loads(text) if text else {}
        self.cognito_identity_id = said.get("cognitoIdentityId")
        self.cognito_identity_pool_id = said.get("cognitoIdentityPoolId")


class Client:
    __slots__ = ["installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name"]

    def __init__(self, said):
        for name in self.__slots__:
            setattr(self, name, said.get(name))


class ClientContext:
    __slots__ = ["custom", "env", "client"]

    def __init__(self, text):
        said = json.loads(text)
        self.client = Client(said["client"]) if said.get("client") else None
        self.custom = said.get("custom")
        self.env = said.get("env")


class LambdaContext:
    def __init__(self, headers):
        environ = os.environ
        client = headers.get("lambda-runtime-client-context")
        self.aws_request_id = headers["lambda-runtime-aws-request-id"]
        self.log_group_name = environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.memory_limit_in_mb = environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.function_version = environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.invoked_function_arn = headers.get("lambda-runtime-invoked-function-arn")
        self.tenant_id = headers.get("lambda-runtime-aws-tenant-id")
        self.client_context = ClientContext(client) if client else None
        self.identity = CognitoIdentity(headers.get("lambda-runtime-cognito-identity"))
        self._epoch_deadline_time_in_ms = int(headers["lambda-runtime-deadline-ms"])

    def get_remaining_time_in_millis(self):
        return max(0, self._epoch_deadline_time_in_ms - int(time.time() * 1000))

    def log(self, msg):
        sys.stdout.write(str(msg))


request_id = ""


class AtFirstImport:
    """Sets up the root logger as Lambda does, when a function imports `logging`."""

    def find_spec(self, name, path=None, target=None):
        if name != "logging":
            return None
        sys.meta_path.remove(self)
        from importlib.util import find_spec

        spec = find_spec(name)
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            set_up_logging(module)

        spec.loader.exec_module = exec_module
        return spec


JSON_LOGS = os.environ.get("AWS_LAMBDA_LOG_FORMAT") == "JSON"
SECONDS = "%Y-%m-%dT%H:%M:%SZ"
# What a record has anyway: anything else was given as `extra`.
RECORD = set(
    "name msg args levelname levelno pathname filename module exc_info exc_text stack_info lineno funcName created msecs "
    "relativeCreated thread threadName processName process taskName aws_request_id tenant_id message".split()
)


def json_line(record):
    """A log record as Lambda's JSON has it."""
    error = record.exc_info[1] if record.exc_info else None
    said = {
        "timestamp": time.strftime(SECONDS, time.gmtime(record.created)),
        "level": record.levelname,
        "message": record.getMessage(),
        "logger": record.name,
    }
    if error is not None:
        import traceback

        said["stackTrace"] = traceback.format_tb(error.__traceback__)
        said["errorType"] = type(error).__name__
        said["errorMessage"] = str(error)
        said["location"] = f"{record.pathname}:{record.funcName}:{record.lineno}"
    said["requestId"] = record.aws_request_id
    said.update((key, value) for key, value in record.__dict__.items() if key not in RECORD)
    return json.dumps(said, default=str, ensure_ascii=False)


def set_up_logging(logging):
    class AddRequestId(logging.Filter):
        def filter(self, record):
            record.aws_request_id = request_id
            return True

    class Handler(logging.Handler):
        def emit(self, record):
            text = json_line(record) if JSON_LOGS else self.format(record).replace("\n", "\r")
            sys.stdout.write(text + "\n")

    handler = Handler()
    form = logging.Formatter(
        "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s", "%Y-%m-%dT%H:%M:%S"
    )
    form.converter = time.gmtime
    handler.setFormatter(form)
    handler.addFilter(AddRequestId())
    logging.root.addHandler(handler)
    if JSON_LOGS:
        level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "")
        logging.root.setLevel({"TRACE": "NOTSET", "FATAL": "CRITICAL"}.get(level, level) or "INFO")


def load(handler):
    try:
        module_name, function_name = handler.rsplit(".", 1)
    except ValueError as error:
        raise Fault("Runtime.MalformedHandlerName", f"Bad handler '{handler}': {error}")
    name = module_name.replace("/", ".")
    if name in sys.builtin_module_names:
        raise Fault("Runtime.BuiltInModuleConflict", f"Cannot use built-in module {name} as a handler module")
    from importlib import import_module

    try:
        module = import_module(name)
    except ImportError as error:
        raise Fault("Runtime.ImportModuleError", f"Unable to import module '{name}': {error}")
    except SyntaxError as error:
        where = f'  File "{error.filename}" Line {error.lineno}\n    {error.text}'
        raise Fault("Runtime.UserCodeSyntaxError", f"Syntax error in module '{name}': {error}", [where])
    if not hasattr(module, function_name):
        raise Fault("Runtime.HandlerNotFound", f"Handler '{function_name}' missing on module '{name}'")
    return getattr(module, function_name)


def plain(value):
    if type(value).__module__ == "decimal":
        return float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


ASCII = sys.version_info < (3, 12)


def marshalled(result):
    if isinstance(result, bytes):
        return result, "application/unknown"
    try:
        return json.dumps(result, default=plain, ensure_ascii=ASCII).encode("utf-8", "surrogatepass"), "application/json"
    except Exception as error:
        raise Fault("Runtime.MarshalError", f"Unable to marshal response: {error}")


def described(error, request):
    """-> the document for the caller: the function's own frames, without this file's"""
    document = {"errorMessage": str(error), "errorType": type(error).__name__, "requestId": request, "stackTrace": []}
    if isinstance(error, Fault):
        document.update(errorType=error.kind, stackTrace=error.trace)
        return document
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename != __file__ and "importlib" not in frame.filename]
    document["stackTrace"] = traceback.format_list(own)
    return document


def log_error(document):
    if JSON_LOGS:
        head = {"timestamp": time.strftime(SECONDS, time.gmtime()), "log_level": "ERROR"}
        sys.stdout.write(json.dumps({**head, **document}, ensure_ascii=False) + "\n")
        sys.stdout.flush()
        return
    text = f"[ERROR] {document['errorType']}: {document['errorMessage']}"
    if document["stackTrace"]:
        text += "\nTraceback (most recent call last):\n" + "".join(document["stackTrace"]).rstrip("\n")
    # Leading spaces would be eaten by the console: AWS writes no-break spaces.
    lines = text.split("\n")
    for index, line in enumerate(lines):
        bare = line.lstrip(" ")
        lines[index] = "\u00a0" * (len(line) - len(bare)) + bare
    sys.stdout.write("\r".join(lines) + "\n")
    sys.stdout.flush()


def report(connection, path, document):
    log_error(document)
    kind = document["errorType"]
    header = f"Lambda-Runtime-Function-Error-Type: {kind}\r\n" if kind.startswith("Runtime.") else ""
    connection.ask("POST", path, json.dumps(document, ensure_ascii=ASCII).encode("utf-8", "surrogatepass"), header)


def serve(connection, handler):
    global request_id
    while True:
        headers, body = connection.ask("GET", "invocation/next")
        request_id = headers["lambda-runtime-aws-request-id"]
        trace = headers.get("lambda-runtime-trace-id")
        if trace:
            os.environ["_X_AMZN_TRACE_ID"] = trace
        try:
            try:
                event = json.loads(body)
            except ValueError as error:
                raise Fault("Runtime.UnmarshalError", f"Unable to unmarshal input: {error}")
            payload, kind = marshalled(handler(event, LambdaContext(headers)))
        except Exception as error:
            report(connection, f"invocation/{request_id}/error", described(error, request_id))
        else:
            sys.stdout.flush()
            connection.ask("POST", f"invocation/{request_id}/response", payload, f"Content-Type: {kind}\r\n")


def prepare():
    import builtins
    import io

    # Unbuffered, as on AWS: a line is in the log before the next one runs. A text that UTF-8 cannot hold is logged, not raised.
    for name in ("stdout", "stderr"):
        raw = getattr(sys, name).buffer
        setattr(sys, name, io.TextIOWrapper(raw, "utf-8", "backslashreplace", line_buffering=True))
    from _sitebuiltins import Quitter

    builtins.exit = Quitter("exit", "Ctrl-D")
    builtins.quit = Quitter("quit", "Ctrl-D")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    opt = os.environ.pop("_LAMBDA_OPT", "/opt")
    site_packages = os.environ.pop("_LAMBDA_SITE_PACKAGES", "")
    sys.path[:] = [TASK_ROOT, f"{opt}/python/lib/{version}/site-packages", f"{opt}/python", *sys.path[1:]]
    sys.path.extend(filter(None, site_packages.split(":")))
    sys.meta_path.insert(0, AtFirstImport())
    sys.argv[:] = [os.environ["_HANDLER"]]


def wait_for_debugger(port):
    """`aws-like debug`: debugpy is the function's own, or the host's."""
    try:
        import debugpy
    except ImportError as error:
        raise Fault(
            "Runtime.ImportModuleError",
            f"Unable to wait for a debugger: {error}. Put it beside the function: pip install --target DIR debugpy",
        )
    debugpy.listen(("127.0.0.1", port))
    debugpy.wait_for_client()


def main():
    connection = Connection(API)
    prepare()
    debug_port = os.environ.pop("_LAMBDA_DEBUG_PORT", None)
    try:
        if debug_port:
            wait_for_debugger(int(debug_port))
        handler = load(os.environ["_HANDLER"])
    except Exception as error:
        report(connection, "init/error", described(error, ""))
        sys.exit(1)
    serve(connection, handler)


if __name__ == "__main__":
    main()
