// A Vault server for the tests, all in memory: Vault's own core, HTTP API and the plug-ins that
// platrun talks to, without the dozens of others (databases, clouds) that the vault program brings.
//
//	vault ADDRESS:PORT    serves; prints a line of JSON: {"url": ..., "root_token", "unseal_key"}
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"log"
	"net"
	"net/http"
	"os"

	hclog "github.com/hashicorp/go-hclog"
	kubernetes "github.com/hashicorp/vault-plugin-auth-kubernetes"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/builtin/credential/approle"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical/inmem"
	"github.com/hashicorp/vault/vault"
)

// none is a catalog without plug-ins: those of this program are given to the core directly.
type none struct{}

func (none) Contains(string, consts.PluginType) bool                           { return false }
func (none) Get(string, consts.PluginType) (func() (interface{}, error), bool) { return nil, false }
func (none) Keys(consts.PluginType) []string                                   { return nil }
func (none) IsBuiltinEntPlugin(string, consts.PluginType) bool                 { return false }
func (none) DeprecationStatus(string, consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Unknown, false
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func newCore() *vault.Core {
	logger := hclog.New(&hclog.LoggerOptions{Output: os.Stderr, Level: hclog.Warn})
	storage, err := inmem.NewInmem(nil, logger)
	check(err)
	core, err := vault.NewCore(&vault.CoreConfig{
		Physical:        storage,
		DisableMlock:    true,
		Logger:          logger,
		BuiltinRegistry: none{},
		LogicalBackends: map[string]logical.Factory{"kv": kv.Factory},
		CredentialBackends: map[string]logical.Factory{
			"approle":    approle.Factory,
			"kubernetes": kubernetes.Factory,
		},
	})
	check(err)
	return core
}

func main() {
	ctx := context.Background()
	core := newCore()
	one := &vault.SealConfig{SecretShares: 1, SecretThreshold: 1}
	made, err := core.Initialize(ctx, &vault.InitParams{BarrierConfig: one, RecoveryConfig: nil})
	check(err)
	_, err = core.Unseal(made.SecretShares[0])
	check(err)
	listener, err := net.Listen("tcp", os.Args[1])
	check(err)
	address := listener.Addr().String()
	check(json.NewEncoder(os.Stdout).Encode(map[string]string{
		"url":        "http://" + address,
		"root_token": made.RootToken,
		"unseal_key": base64.StdEncoding.EncodeToString(made.SecretShares[0]),
	}))
	handler := vaulthttp.Handler.Handler(&vault.HandlerProperties{
		Core:           core,
		ListenerConfig: &configutil.Listener{Type: "tcp", Address: address},
	})
	check(http.Serve(listener, handler))
}
