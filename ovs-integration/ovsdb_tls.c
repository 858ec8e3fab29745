// The server's key, certificate and CA certificate, loaded again when their files change.
//
// libopenvswitch loads a key and a certificate again only when it sees both changed at once, and
// takes what it finds: a renewed certificate of the same key would never be used, and a file that
// is half written would end all service over TLS. So files are looked at here first. What does not
// fit together is left alone, and said; connections that are up keep what they began with.
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/stat.h>

#include "openvswitch/vlog.h"
#include "ovs-integration/ovsdb_shim.h"
#include "stream-ssl.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(hnv_ovsdb_tls);

// As libopenvswitch tells two versions of a file apart.
struct version {
    struct timespec changed;
    bool there;
};

static struct version version_of(const char* file) {
    struct stat status;
    if (stat(file, &status)) {
        return (struct version){.there = false};
    }
    return (struct version){.changed = status.st_mtim, .there = true};
}

static bool same_version(struct version a, struct version b) {
    return a.there == b.there && a.changed.tv_sec == b.changed.tv_sec &&
           a.changed.tv_nsec == b.changed.tv_nsec;
}

// What OpenSSL says went wrong last, its queue emptied.
static const char* ssl_reason(void) {
    const unsigned long int code = ERR_get_error();
    ERR_clear_error();
    const char* reason = code ? ERR_reason_error_string(code) : NULL;
    return reason ? reason : "cannot be read";
}

// Both return whether OpenSSL can use the files, and say if not.
static bool check_pair(const char* private_key, const char* certificate) {
    SSL_CTX* context = SSL_CTX_new(TLS_method());
    const char* bad = !context ? certificate
                      : SSL_CTX_use_certificate_file(context, certificate, SSL_FILETYPE_PEM) != 1
                          ? certificate
                      : SSL_CTX_use_PrivateKey_file(context, private_key, SSL_FILETYPE_PEM) != 1 ||
                              SSL_CTX_check_private_key(context) != 1
                          ? private_key
                          : NULL;
    if (bad) {
        VLOG_WARN("%s: %s; connections over TLS go on with the key and certificate from before",
                  bad, ssl_reason());
    }
    SSL_CTX_free(context);
    return !bad;
}

static bool check_authorities(const char* file) {
    X509_STORE* store = X509_STORE_new();
    const bool good = store && X509_STORE_load_locations(store, file, NULL) == 1;
    if (!good) {
        VLOG_WARN("%s: %s; connections over TLS go on with the CA certificate from before", file,
                  ssl_reason());
    }
    X509_STORE_free(store);
    return good;
}

void hnv_ovsdb_set_tls(const char* private_key, const char* certificate,
                       const char* ca_certificate) {
    // The versions that were looked at last, good or bad: each is looked at, and said, once.
    static struct version key_seen, certificate_seen, ca_seen;
    if (private_key && certificate) {
        const struct version key = version_of(private_key);
        const struct version own = version_of(certificate);
        if ((!same_version(key, key_seen) || !same_version(own, certificate_seen)) &&
            check_pair(private_key, certificate)) {
            // The certificate first: with the key of another one it lets go of the key.
            stream_ssl_set_certificate_file(certificate);
            stream_ssl_set_private_key_file(private_key);
        }
        key_seen = key;
        certificate_seen = own;
    }
    if (ca_certificate) {
        const struct version ca = version_of(ca_certificate);
        if (!same_version(ca, ca_seen) && check_authorities(ca_certificate)) {
            stream_ssl_set_ca_cert_file(ca_certificate, false);
        }
        ca_seen = ca;
    }
}
