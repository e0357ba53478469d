package kube

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

// source is the part of a typed client that lists and watches objects of one kind.
type source[L runtime.Object] interface {
	List(ctx context.Context, o metav1.ListOptions) (L, error)
	Watch(ctx context.Context, o metav1.ListOptions) (watch.Interface, error)
}

// follow gives step the object of a name, first as it is and then at every change, until step is
// done or fails, or ctx ends. An object that does not exist, or no longer, is given as nil. A watch that
// the server ends is taken up again; changes meanwhile are then seen as one.
func follow[T runtime.Object, L runtime.Object](ctx context.Context, from source[L], name string, step func(object T) (bool, error)) error {
	for {
		done, version, err := look(ctx, from, name, step)
		if done || err != nil {
			return err
		}
		o := only(name)
		o.ResourceVersion = version
		changes, err := from.Watch(ctx, o)
		if err != nil {
			return err
		}
		done, err = steps(ctx, changes, step)
		changes.Stop()
		if done || err != nil {
			return err
		}
	}
}

func only(name string) metav1.ListOptions {
	return metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", name).String()}
}

// look gives step the object as it is now, and returns the version from which to watch.
func look[T runtime.Object, L runtime.Object](ctx context.Context, from source[L], name string, step func(T) (bool, error)) (bool, string, error) {
	var none T
	list, err := from.List(ctx, only(name))
	if err != nil {
		return false, "", err
	}
	items, err := meta.ExtractList(list)
	if err != nil {
		return false, "", err
	}
	object := none
	if len(items) > 0 {
		var ok bool
		if object, ok = items[0].(T); !ok {
			return false, "", fmt.Errorf("listed a %T, not a %T", items[0], none)
		}
	}
	done, err := step(object)
	if done || err != nil {
		return done, "", err
	}
	access, err := meta.ListAccessor(list)
	if err != nil {
		return false, "", err
	}
	return false, access.GetResourceVersion(), nil
}

// steps gives step every change, until it is done or the watch ends.
func steps[T runtime.Object](ctx context.Context, changes watch.Interface, step func(T) (bool, error)) (bool, error) {
	var none T
	for {
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case e, open := <-changes.ResultChan():
			if !open {
				return false, ctx.Err()
			}
			object, ok := e.Object.(T)
			switch {
			case e.Type == watch.Error && apierrors.IsResourceExpired(apierrors.FromObject(e.Object)):
				return false, nil // look again
			case !ok:
				return false, apierrors.FromObject(e.Object)
			case e.Type == watch.Deleted:
				object = none
			}
			if done, err := step(object); done || err != nil {
				return done, err
			}
		}
	}
}
