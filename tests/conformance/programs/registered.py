"""A class of a library, registered in the script: each step stores it the script's way."""

import ssl

from kalelite import pipeline, step
from kalelite.marshal import register


def context_of(check_hostname):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = check_hostname
    return context


register(ssl.SSLContext, save=lambda context: context.check_hostname, load=context_of)


@step
def make():
    return {"context": context_of(check_hostname=False)}


@step
def hand_on(found):
    return found["context"]


@step
def read(context):
    return type(context).__name__, context.check_hostname


@pipeline
def main():
    return read(hand_on(make()))


EXPECTED = ("SSLContext", False)
