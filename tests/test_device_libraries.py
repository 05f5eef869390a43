"""The libraries for devices: complete folders, whose sketches compile and work."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import bbans
from bbans.frozen import FrozenModel

ROOT = Path(__file__).resolve().parents[1]
SKETCHES = {"bbans_tiny": "records", "bbans_decoder": "container"}
# What a sketch finds in place of Arduino's: enough for the examples.
ARDUINO = """
#include <stdio.h>
#include <stdlib.h>
enum { HEX = 16 };
struct Port {
    void begin(long) {}
    void print(char c) { putchar(c); }
    void print(const char *text) { fputs(text, stdout); }
    void print(int n, int base) { printf(base == HEX ? "%X" : "%d", n); }
    void println(const char *text) { puts(text); }
    void println(int n) { printf("%d\\n", n); }
    void println() { putchar('\\n'); }
};
static Port Serial;
static inline void delay(unsigned long) { exit(1); }
void setup();
void loop();
"""
DEVICE = """
enum { HEX = 16 };
struct Port {
    void begin(long);
    void print(char), print(const char *), print(int, int);
    void println(const char *), println(int), println();
};
extern Port Serial;
void delay(unsigned long);
void setup();
void loop();
"""
CORTEX = ["-mcpu=cortex-m4", "-mthumb", "-ffreestanding", "-c", "-o", "/dev/null"]


def run(*command):
    done = subprocess.run(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert done.returncode == 0, done.stdout.decode()
    return done.stdout.decode()


@pytest.fixture(scope="module")
def libraries(tmp_path_factory):
    folder = tmp_path_factory.mktemp("libraries")
    run(sys.executable, ROOT / "tools" / "device_libraries.py", folder)
    return folder


def needs(*programs):
    missing = [name for name in programs if shutil.which(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"no {', '.join(missing)}")


def as_program(library, arduino, folder):
    """A sketch as Arduino's tools pass it to the compiler."""
    sketch = SKETCHES[library.name]
    example = library / "examples" / sketch
    (folder / "Arduino.h").write_text(arduino)
    source = folder / "sketch.cpp"
    source.write_text(
        "#include <Arduino.h>\n" + (example / f"{sketch}.ino").read_text()
    )
    return source, [f"-I{folder}", f"-I{library / 'src'}", f"-I{example}"]


def numbers(path, name):
    """The elements of an array in a C header."""
    found = re.search(rf"{name}\[\d*\] = {{([\d,\s]*)}}", path.read_text())
    return bytes(map(int, found[1].split(",")))


def output(library, folder):
    objects = []
    for source in (library / "src").glob("*.c"):
        objects.append(folder / f"{source.stem}.o")
        run("gcc", "-O0", "-c", source, "-o", objects[-1])
    source, options = as_program(library, ARDUINO, folder)
    with source.open("a") as file:
        file.write("\nint main() { setup(); loop(); }\n")
    run("g++", "-Wall", "-Wextra", "-Werror", *options, source, *objects,
        "-o", folder / "sketch")  # fmt: skip
    return run(folder / "sketch")


@needs("gcc", "g++")
def test_the_sketch_of_records_makes_the_bytes_of_python(libraries, tmp_path):
    library = libraries / "bbans_tiny"
    header = library / "examples" / "records" / "sensor.h"
    codec = bbans.RecordCodec(FrozenModel.from_bytes(numbers(header, "sensor")))
    message = codec.encode("t=23.7 ok").hex().upper()
    assert output(library, tmp_path) == f"{message}\nt=23.7 ok\n"


@needs("gcc", "g++")
def test_the_sketch_of_a_container_decodes_it(libraries, tmp_path):
    library = libraries / "bbans_decoder"
    header = library / "examples" / "container" / "log.h"
    model = FrozenModel.from_bytes(numbers(header, "model"))
    text = bbans.decompress(numbers(header, "compressed"), model)
    assert text.startswith(b"t=20.0 ok\nt=21.1 ok\n")
    assert output(library, tmp_path) == text.decode()


@needs("arm-none-eabi-gcc", "arm-none-eabi-g++")
@pytest.mark.parametrize("name", SKETCHES)
def test_libraries_and_sketches_compile_for_a_cortex(libraries, name, tmp_path):
    library = libraries / name
    for source in (library / "src").glob("*.c"):
        # -O0: the whole library takes a minute else.
        run("arm-none-eabi-gcc", "-O0", "-Wall", "-Wextra", "-Werror", *CORTEX, source)
    source, options = as_program(library, DEVICE, tmp_path)
    run("arm-none-eabi-g++", "-Wall", "-Wextra", "-Werror", *CORTEX, *options, source)


@pytest.mark.parametrize("name", SKETCHES)
def test_manifests_say_the_same(libraries, name):
    library = libraries / name
    lines = (library / "library.properties").read_text().splitlines()
    arduino = dict(line.split("=", 1) for line in lines)
    platformio = json.loads((library / "library.json").read_text())
    espressif = (library / "idf_component.yml").read_text()
    assert arduino["name"] == platformio["name"] == name
    assert arduino["version"] == platformio["version"] == bbans.__version__
    assert f'version: "{bbans.__version__}"' in espressif
    assert arduino["sentence"] == platformio["description"] + "."
    assert platformio["description"] in espressif
    assert (library / "src" / arduino["includes"]).is_file()
    assert arduino["includes"] == platformio["headers"]
