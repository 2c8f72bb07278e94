/* SPDX-License-Identifier: MIT */
/* Certificates and keys out of files as people have them, made by OpenSSL's command. */
#include <thimble/linux.h>

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/thimble-XXXXXX";

static const char *at(const char *name)
{
    static char path[2][96];
    static int which;
    which = !which;
    snprintf(path[which], sizeof path[0], "%s/%s", folder, name);
    return path[which];
}

static int make_files(void **state)
{
    (void)state;
    static const char script[] =
        "exec 2>/dev/null && set -e && cd ${0%/*}\n"
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=one"
        " -keyout ec.key -out one.crt\n"
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=two -keyout rsa.key -out "
        "two.crt\n"
        "openssl ec -in ec.key -out ec.sec1\n"
        "openssl ec -in ec.key -no_public -out ec.short\n"
        "openssl rsa -in rsa.key -traditional -out rsa.pkcs1\n"
        "openssl pkey -in ec.key -outform DER -out ec.der\n"
        "openssl ec -in ec.key -outform DER -out ec.sec1.der\n"
        "openssl rsa -in rsa.key -traditional -outform DER -out rsa.pkcs1.der\n"
        "openssl pkey -in ec.key -aes128 -passout pass:x -out encrypted.key\n"
        "openssl rsa -in rsa.key -traditional -aes128 -passout pass:x -out encrypted.pkcs1\n"
        "openssl genpkey -algorithm ed25519 -out ed25519.key\n"
        "openssl x509 -in one.crt -outform DER -out one.der\n"
        "sed 's/$/\\r/' one.crt >one.crlf\n"
        "{ openssl x509 -in one.crt -text; cat ec.key; echo and another; cat two.crt; } >both.pem\n"
        "openssl ecparam -name prime256v1 >with_parameters; cat ec.sec1 >>with_parameters\n"
        ": >empty; echo nonsense >nonsense; head -c 300 one.crt >cut; mkdir directory\n"
        "head -c 2000000 /dev/zero | tr '\\0' x >huge; mkfifo fifo\n";
    char command[64];
    if (!mkdtemp(folder))
        return -1;
    FILE *file = fopen(at("make.sh"), "w");
    fputs(script, file);
    fclose(file);
    snprintf(command, sizeof command, "sh %s/make.sh", folder);
    return system(command);
}

static int remove_files(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static void one_certificate_in_any_form_is_the_same(void **state)
{
    (void)state;
    static const char *const forms[] = {"one.crt", "one.crlf", "one.der"};
    struct th_linux_certificates first = {0}, found;
    struct th_failure failure;
    assert_int_equal(th_linux_certificates_load(&first, at("one.crt"), &failure), TH_OK);
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        assert_int_equal(th_linux_certificates_load(&found, at(forms[i]), &failure), TH_OK);
        assert_int_equal(found.count, 1);
        assert_true(th_span_equal(found.at[0], first.at[0]));
        th_linux_certificates_free(&found);
    }
    th_linux_certificates_free(&first);
}

static void several_certificates_with_text_and_a_key_between_keep_their_order(void **state)
{
    (void)state;
    struct th_linux_certificates both, two;
    struct th_failure failure;
    assert_int_equal(th_linux_certificates_load(&both, at("both.pem"), &failure), TH_OK);
    assert_int_equal(th_linux_certificates_load(&two, at("two.crt"), &failure), TH_OK);
    assert_int_equal(both.count, 2);
    assert_true(th_span_equal(both.at[1], two.at[0]));
    th_linux_certificates_free(&both);
    th_linux_certificates_free(&two);
}

static void a_key_in_any_form_tells_its_kind(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum th_key_kind kind;
    } keys[] = {
        {"ec.key", TH_KEY_EC_P256},      {"ec.sec1", TH_KEY_EC_P256},
        {"ec.short", TH_KEY_EC_P256},    {"ec.der", TH_KEY_EC_P256},
        {"ec.sec1.der", TH_KEY_EC_P256}, {"rsa.key", TH_KEY_RSA},
        {"rsa.pkcs1", TH_KEY_RSA},       {"rsa.pkcs1.der", TH_KEY_RSA},
        {"both.pem", TH_KEY_EC_P256},    {"with_parameters", TH_KEY_EC_P256},
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct th_linux_identity identity;
        struct th_failure failure;
        assert_int_equal(
            th_linux_identity_load(&identity, at("both.pem"), at(keys[i].name), &failure), TH_OK);
        assert_int_equal(identity.identity.kind, keys[i].kind);
        assert_int_equal(identity.identity.chain_count, 2);
        assert_int_equal(identity.identity.key.at[0], 0x30);
        th_linux_identity_free(&identity);
        assert_null(identity.key);
    }
}

static void each_wrong_certificate_file_has_its_own_error(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum th_error error;
    } files[] = {
        {"missing", TH_ERR_FILE_MISSING}, {"empty", TH_ERR_FILE_EMPTY},
        {"directory", TH_ERR_FILE_KIND},  {"nonsense", TH_ERR_FILE_FORMAT},
        {"ec.key", TH_ERR_FILE_FORMAT},   {"cut", TH_ERR_FILE_FORMAT},
        {"huge", TH_ERR_FILE_TOO_LARGE},  {"one.crt/x", TH_ERR_FILE_MISSING},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct th_linux_certificates found;
        struct th_failure failure;
        assert_int_equal(th_linux_certificates_load(&found, at(files[i].name), &failure),
                         files[i].error);
        assert_int_equal(failure.error, files[i].error);
        assert_non_null(strstr(failure.name, folder)); /* the file is named */
        assert_null(found.at);
    }
    struct th_linux_certificates found;
    struct th_failure failure;
    assert_int_equal(th_linux_certificates_load(&found, "/dev/zero", &failure), TH_ERR_FILE_KIND);
}

static void each_wrong_key_file_has_its_own_error(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum th_error error;
    } files[] = {
        {"missing", TH_ERR_FILE_MISSING},        {"empty", TH_ERR_FILE_EMPTY},
        {"directory", TH_ERR_FILE_KIND},         {"nonsense", TH_ERR_FILE_FORMAT},
        {"one.crt", TH_ERR_FILE_FORMAT},         {"one.der", TH_ERR_FILE_FORMAT},
        {"encrypted.key", TH_ERR_KEY_ENCRYPTED}, {"encrypted.pkcs1", TH_ERR_KEY_ENCRYPTED},
        {"ed25519.key", TH_ERR_KEY_KIND},        {"huge", TH_ERR_FILE_TOO_LARGE},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct th_linux_identity identity;
        struct th_failure failure;
        assert_int_equal(
            th_linux_identity_load(&identity, at("one.crt"), at(files[i].name), &failure),
            files[i].error);
        assert_int_equal(failure.error, files[i].error);
        assert_null(identity.key);
        assert_null(identity.chain.at);
    }
}

/* A shell's <(command), and not a wait for ever on a FIFO without a writer. */
static void a_pipe_is_read_to_its_end(void **state)
{
    (void)state;
    struct th_linux_certificates found;
    struct th_failure failure;
    char path[32], bytes[4096];
    int ends[2];
    assert_int_equal(th_linux_certificates_load(&found, at("fifo"), &failure), TH_ERR_FILE_EMPTY);
    int fd = open(at("one.crt"), O_RDONLY);
    ssize_t len = read(fd, bytes, sizeof bytes);
    close(fd);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], bytes, (size_t)len), len);
    close(ends[1]);
    snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
    assert_int_equal(th_linux_certificates_load(&found, path, &failure), TH_OK);
    assert_int_equal(found.count, 1);
    th_linux_certificates_free(&found);
    close(ends[0]);
}

static void the_bundle_of_all_public_cas_fits(void **state)
{
    (void)state;
    struct th_linux_certificates one, many;
    struct th_failure failure;
    FILE *file = fopen(at("bundle"), "w");
    char bytes[4096];
    int fd = open(at("one.crt"), O_RDONLY);
    ssize_t len = read(fd, bytes, sizeof bytes);
    close(fd);
    for (int i = 0; i < 255; i++)
        fwrite(bytes, 1, (size_t)len, file);
    fclose(file);
    assert_int_equal(th_linux_certificates_load(&many, at("bundle"), &failure), TH_OK);
    assert_int_equal(th_linux_certificates_load(&one, at("one.crt"), &failure), TH_OK);
    assert_int_equal(many.count, 255);
    assert_true(th_span_equal(many.at[254], one.at[0]));
    th_linux_certificates_free(&one);
    th_linux_certificates_free(&many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_certificate_in_any_form_is_the_same),
        cmocka_unit_test(several_certificates_with_text_and_a_key_between_keep_their_order),
        cmocka_unit_test(a_key_in_any_form_tells_its_kind),
        cmocka_unit_test(each_wrong_certificate_file_has_its_own_error),
        cmocka_unit_test(each_wrong_key_file_has_its_own_error),
        cmocka_unit_test(a_pipe_is_read_to_its_end),
        cmocka_unit_test(the_bundle_of_all_public_cas_fits),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
