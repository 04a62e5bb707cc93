import io
import os
import sys
import urllib.error
import urllib.request

try:
    import boto3
    from botocore.config import Config
    from boto3.s3.transfer import TransferConfig
    from botocore.exceptions import ClientError
except ImportError:
    sys.exit(77)

bucket = os.environ["BUCKET"]
s3 = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
failures = 0


def step(name):
    def run(work):
        global failures
        try:
            work()
            print("ok    ", name)
        except Exception as error:
            print("FAILED", name, "\n      ", repr(error))
            failures += 1

    return run


def refused(code, work):
    try:
        work()
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error.response["Error"]
    else:
        raise AssertionError("it succeeded")


ODD = ["a b", "a+b", "a%20b", "a//b", "/leading", "trailing/", "..", "../up", "ü/日本語 😀", "quote\"'<&>", "\x01\x1f", "a?b#c", "~", "x" * 300, "\ud7ff\ue000"]


@step("odd keys survive put, list, get, delete")
def _():
    for key in ODD:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    # Text of a listing cannot hold every key: the encoding can.
    listed = [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert listed == sorted(ODD, key=str.encode), listed
    for key in ODD:
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode(), key
    gone = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in ODD if "\x01" not in key]})
    assert len(gone["Deleted"]) == len(ODD) - 1
    s3.delete_object(Bucket=bucket, Key="\x01\x1f")
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


@step("a large file in parts, up and down")
def _():
    body = os.urandom(23_000_001)
    config = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)
    s3.upload_fileobj(io.BytesIO(body), bucket, "large", Config=config)
    back = io.BytesIO()
    s3.download_fileobj(bucket, "large", back, Config=config)
    assert back.getvalue() == body
    assert s3.head_object(Bucket=bucket, Key="large")["ETag"].endswith('-5"')
    s3.copy({"Bucket": bucket, "Key": "large"}, bucket, "copied", Config=config)
    assert s3.head_object(Bucket=bucket, Key="copied")["ContentLength"] == len(body)


for algorithm in ["CRC32", "SHA1", "SHA256"]:

    @step(f"checksum {algorithm}, of an object and of parts")
    def _():
        s3.put_object(Bucket=bucket, Key="summed", Body=b"x" * 10_000, ChecksumAlgorithm=algorithm)
        assert s3.get_object(Bucket=bucket, Key="summed", ChecksumMode="ENABLED")["Body"].read() == b"x" * 10_000
        extra = {"ChecksumAlgorithm": algorithm}
        config = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)
        s3.upload_fileobj(io.BytesIO(b"y" * 11_000_000), bucket, "parts", ExtraArgs=extra, Config=config)
        assert s3.get_object(Bucket=bucket, Key="parts")["Body"].read() == b"y" * 11_000_000


@step("presigned GET, PUT and form")
def _():
    # boto3 presigns with Signature Version 2 unless told otherwise, and urllib says that it sends a form: that breaks a signature of that version.
    v4 = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"], config=Config(signature_version="s3v4"))
    url = v4.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "signed ü"})
    urllib.request.urlopen(urllib.request.Request(url, data=b"by url", method="PUT")).read()
    for client in [s3, v4]:
        url = client.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "signed ü", "ResponseContentType": "x/y"})
        with urllib.request.urlopen(url) as answer:
            assert (answer.read(), answer.headers["Content-Type"]) == (b"by url", "x/y")
    try:
        urllib.request.urlopen(url + "x")
        raise AssertionError("it succeeded")
    except urllib.error.HTTPError as error:
        assert error.code == 403
    form = s3.generate_presigned_post(bucket, "form/${filename}")
    lines = [f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in form["fields"].items()]
    lines.append('--b\r\nContent-Disposition: form-data; name="file"; filename="f.txt"\r\n\r\nposted\r\n--b--\r\n')
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    assert urllib.request.urlopen(urllib.request.Request(form["url"], "".join(lines).encode(), headers)).status == 204
    assert s3.get_object(Bucket=bucket, Key="form/f.txt")["Body"].read() == b"posted"


@step("versions, delete markers and their pages")
def _():
    name = bucket + "-versions"
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for n in range(3):
        s3.put_object(Bucket=name, Key="k", Body=b"%d" % n)
    s3.delete_object(Bucket=name, Key="k")
    refused("NoSuchKey", lambda: s3.get_object(Bucket=name, Key="k"))
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=name, PaginationConfig={"PageSize": 1})
    versions = [one for page in pages for one in page.get("Versions", []) + page.get("DeleteMarkers", [])]
    assert len(versions) == 4
    oldest = versions[-1]["VersionId"]
    assert s3.get_object(Bucket=name, Key="k", VersionId=oldest)["Body"].read() == b"0"
    for one in versions:
        s3.delete_object(Bucket=name, Key="k", VersionId=one["VersionId"])
    s3.delete_bucket(Bucket=name)


@step("conditions, ranges, metadata, tags")
def _():
    etag = s3.put_object(Bucket=bucket, Key="c", Body=b"0123456789", Metadata={"colour": "blau"}, Tagging="a=1&b=2")["ETag"]
    refused("PreconditionFailed", lambda: s3.put_object(Bucket=bucket, Key="c", Body=b"", IfNoneMatch="*"))
    refused("304", lambda: s3.get_object(Bucket=bucket, Key="c", IfNoneMatch=etag))
    answer = s3.get_object(Bucket=bucket, Key="c", Range="bytes=-3")
    assert (answer["Body"].read(), answer["Metadata"]) == (b"789", {"colour": "blau"})
    assert len(s3.get_object_tagging(Bucket=bucket, Key="c")["TagSet"]) == 2
    refused("InvalidRange", lambda: s3.get_object(Bucket=bucket, Key="c", Range="bytes=99-"))


@step("waiters and paginators")
def _():
    s3.get_waiter("object_exists").wait(Bucket=bucket, Key="c")
    for n in range(25):
        s3.put_object(Bucket=bucket, Key=f"page/{n // 5}/{n}", Body=b"")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="page/", PaginationConfig={"PageSize": 7})
    assert sum(len(page["Contents"]) for page in pages) == 25
    pages = s3.get_paginator("list_objects").paginate(Bucket=bucket, Prefix="page/", Delimiter="/", PaginationConfig={"PageSize": 2})
    assert sum(len(page["CommonPrefixes"]) for page in pages) == 5


@step("the resource interface empties the bucket")
def _():
    boto3.resource("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"]).Bucket(bucket).objects.all().delete()
    s3.delete_bucket(Bucket=bucket)
    refused("404", lambda: s3.head_bucket(Bucket=bucket))


sys.exit(1 if failures else 0)
