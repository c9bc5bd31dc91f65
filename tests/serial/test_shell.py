"""A session at the prompt: pipelines, redirection, editing, keys that send signals."""


def test_a_pipeline(shell):
    sorted_words = shell.run("echo one two three | tr ' ' '\\n' | sort | head -2").split()
    assert sorted_words == ["one", "three"]


def test_redirection(shell):
    shell.run("echo first >/tmp/r; echo second >>/tmp/r; cat </tmp/r >/tmp/s 2>&1")
    assert shell.run("cat /tmp/s; rm /tmp/r /tmp/s").split() == ["first", "second"]


def test_a_here_document(shell):
    shell.type("cat <<END")
    shell.expect("> ")
    shell.type("inside $((1+1))")
    shell.expect("> ")
    shell.type("END")
    assert "inside 2" in shell.await_prompt()


def test_the_status_of_the_last_command(shell):
    assert shell.run("false; echo $?").split() == ["1"]
    assert shell.run("sh -c 'exit 42'; echo $?").split() == ["42"]


def test_the_console_is_a_terminal(shell):
    assert shell.run("tty").split() == ["/dev/console"]
    assert shell.run("stty size").split() == ["24", "80"]


def test_erasing_while_typing(shell):
    shell.send("echo wrogn")
    for _ in range(2):
        shell.send("\x7f")
    assert shell.run("ng").split()[-1] == "wrong"


def test_control_c_ends_a_program_not_the_shell(shell):
    shell.type("sh -c 'echo star''ted; sleep 1000'")
    shell.expect("started")
    shell.press("c")
    shell.await_prompt()
    assert shell.run("echo $?").split() == ["130"]


def test_control_c_ends_a_busy_program(shell):
    shell.type("sh -c 'echo star''ted; while :; do :; done'")
    shell.expect("started")
    shell.press("c")
    shell.await_prompt()
    assert shell.run("echo $?").split() == ["130"]


def test_control_c_ends_a_pipeline(shell):
    shell.type("sh -c 'echo star''ted >&2; exec cat /dev/zero' | cat >/dev/null")
    shell.expect("started")
    shell.press("c")
    shell.await_prompt()
    assert shell.run("echo alive").split() == ["alive"]


def test_control_d_ends_input(shell):
    shell.type("cat; echo en""ded")
    shell.type("a line")
    shell.expect("a line\r+\na line")
    shell.press("d")
    assert "ended" in shell.await_prompt()


def test_a_program_in_the_background(shell):
    shell.run("sleep 1000 &")
    assert "status 143" in shell.run("kill %1; wait %1; echo status $?")


def test_a_crashing_program(shell):
    shell.run("sh -c 'kill -SEGV $$'")
    assert shell.run("echo alive").split() == ["alive"]


def test_a_program_of_nonsense(shell):
    shell.run("head -c 5000 /bin/busybox >/tmp/bad; chmod +x /tmp/bad; /tmp/bad; rm /tmp/bad")
    assert shell.run("echo alive").split() == ["alive"]


def test_a_thousand_commands(shell):
    output = shell.run("i=0; while [ $i -lt 1000 ]; do /bin/true; i=$((i+1)); done; echo $i")
    assert output.split() == ["1000"]
